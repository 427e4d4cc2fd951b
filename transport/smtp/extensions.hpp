// EHLO keywords, both ways: what our server announces, and what a peer's EHLO reply says. Pure.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/smtp/reply_parser.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailflow::smtp {

// What a receive session offers at the moment: before and after TLS and AUTH it may differ. A
// keyword is announced exactly when the session obeys it; a parameter of one that is not offered is
// refused with 555.
struct ExtensionSet {
    bool pipelining = true;  // RFC 2920
    bool announce_size = true;
    bool size_value = true;               // with the number, when there is a limit
    std::optional<std::uint64_t> size{};  // RFC 1870: none: no fixed limit
    bool eight_bit_mime = true;           // RFC 6152
    bool smtputf8 = true;                 // RFC 6531
    bool enhanced_status_codes = true;    // RFC 2034; off: replies carry none
    bool chunking = false;                // RFC 3030
    bool binary_mime = false;             // RFC 3030
    bool dsn = false;                     // RFC 3461
    bool start_tls = false;               // RFC 3207: not inside TLS
    std::vector<std::string> auth{};      // RFC 4954: mechanisms; empty: no AUTH
    bool require_tls = false;             // RFC 8689: inside TLS only
    bool limits = false;                  // RFC 9422, with the two numbers
    std::optional<std::uint32_t> max_mails{};
    std::optional<std::uint32_t> max_recipients{};
    bool mt_priority = false;     // RFC 6710, profile MIXER
    bool future_release = false;  // RFC 4865, with the two numbers
    std::chrono::seconds max_hold{0};
    UtcTime hold_until_limit{};
    bool deliver_by = false;  // RFC 2852
    std::chrono::seconds min_deliver_by{0};
    bool verify = false;  // VRFY and EXPN are answered, not 252 and 550
    bool xclient = false;
};

// One keyword a line, LF between them: the lines of the EHLO reply after the first.
[[nodiscard]] std::string announcement(const ExtensionSet& offered);

// What a peer offers. After HELO: nothing.
struct PeerExtensions {
    bool pipelining = false;
    bool size = false;
    std::uint64_t max_size = 0;  // 0: no fixed limit is known (RFC 1870 §4)
    bool eight_bit_mime = false;
    bool smtputf8 = false;
    bool enhanced_status_codes = false;
    bool dsn = false;                 // RFC 3461
    bool start_tls = false;           // RFC 3207
    std::vector<std::string> auth{};  // RFC 4954: mechanisms in upper case, as offered, no doubles
    bool chunking = false;            // RFC 3030
    bool binary_mime = false;         // RFC 3030
    bool require_tls = false;         // RFC 8689
    // RFC 9422 LIMITS: at most so many in a session, in a message; none: not said.
    std::optional<std::uint32_t> max_mails{};
    std::optional<std::uint32_t> max_recipients{};
    std::optional<std::uint32_t> max_recipient_domains{};
    bool mt_priority = false;           // RFC 6710
    std::string mt_priority_profile{};  // upper case; empty: none was named
    bool future_release = false;        // RFC 4865, with the two numbers
    std::chrono::seconds max_hold{0};
    UtcTime hold_until_limit{};
    bool deliver_by = false;  // RFC 2852
    // 0: no minimum was named, any time goes.
    std::chrono::seconds min_deliver_by{0};

    friend bool operator==(const PeerExtensions&, const PeerExtensions&) = default;
};

// Reads the 250 reply to EHLO: keywords in any case of letters, unknown and malformed lines are
// passed over.
[[nodiscard]] PeerExtensions parse_extensions(const PeerReply& reply);

}  // namespace mailflow::smtp
