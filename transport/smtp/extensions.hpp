// EHLO keywords, both ways: what our server announces, and what a peer's EHLO reply says. Pure.
#pragma once

#include "transport/smtp/reply_parser.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace mailflow::smtp {

// What a receive session offers. A keyword is announced exactly when the session obeys it.
struct ExtensionSet {
    bool pipelining = true;  // RFC 2920
    std::optional<std::uint64_t>
        size;                    // RFC 1870: none: announced without a number (no fixed limit)
    bool eight_bit_mime = true;  // RFC 6152
    bool smtputf8 = true;        // RFC 6531
    bool enhanced_status_codes = true;  // RFC 2034
};

// One keyword a line, LF between them: the lines of the EHLO reply after the first.
[[nodiscard]] std::string announcement(const ExtensionSet& extensions);

// What a peer offers. After HELO: nothing.
struct PeerExtensions {
    bool pipelining = false;
    bool size = false;
    std::uint64_t max_size = 0;  // 0: no fixed limit is known (RFC 1870 §4)
    bool eight_bit_mime = false;
    bool smtputf8 = false;
    bool enhanced_status_codes = false;

    friend bool operator==(const PeerExtensions&, const PeerExtensions&) = default;
};

// Reads the 250 reply to EHLO: keywords in any case of letters, unknown and malformed lines are
// passed over.
[[nodiscard]] PeerExtensions parse_extensions(const PeerReply& reply);

}  // namespace mailflow::smtp
