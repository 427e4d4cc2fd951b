// Where mail for a mailbox is put (reference 5; product: Maildir, LMTP, SMTP). Plain data, and how
// administrators write it.
#pragma once

#include "transport/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace mailflow {

struct DeliveryTarget {
    enum class Kind : std::uint8_t {
        maildir,  // `place`: folder as a template (%m alias, %u local part and %d domain of the
                  // primary address), absolute or below the mail folder; empty: `%m`
        lmtp,     // `place`: `unix:/path` or `host:port` (RFC 2033)
        smtp,     // `place`: `host` or `host:port`; 25 when not given
    };
    Kind kind = Kind::maildir;
    std::string place;

    friend bool operator==(const DeliveryTarget&, const DeliveryTarget&) = default;
};

// `maildir`, `maildir:TEMPLATE`, `lmtp:unix:/path`, `lmtp:host:port`, `smtp:host[:port]`; IPv6
// addresses in brackets. Error::syntax.
[[nodiscard]] Result<DeliveryTarget> parse_delivery_target(std::string_view text);
// The same, canonical.
[[nodiscard]] std::string to_text(const DeliveryTarget& target);

}  // namespace mailflow
