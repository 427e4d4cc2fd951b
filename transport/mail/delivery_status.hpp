// What became of one recipient in one attempt, in the terms of RFC 3464 §2.3: the value that
// delivery hands to the queue, and the queue to the store, to tracking and to DSNs.
#pragma once

#include "transport/mail/enhanced_status.hpp"

#include <cstdint>
#include <string>

namespace mailflow {

// RFC 3464 §2.3.3, with `delayed` for "will be tried again".
enum class DeliveryAction : std::uint8_t { delivered, relayed, expanded, delayed, failed };

struct DeliveryStatus {
    DeliveryAction action = DeliveryAction::delayed;
    EnhancedStatus status;   // ours or the remote's, never rewritten
    std::string diagnostic;  // the remote's reply verbatim (`550 5.1.1 User unknown`) or our own
                             // words, one line
    std::string remote_mta;  // name of the host that said so; empty when we did
    std::string remote_address;  // its address and port; empty when none was reached
    bool by_remote = false;      // `diagnostic` is a reply of the remote (Diagnostic-Code: smtp)

    friend bool operator==(const DeliveryStatus&, const DeliveryStatus&) = default;
};

[[nodiscard]] const char* to_text(DeliveryAction action) noexcept;

}  // namespace mailflow
