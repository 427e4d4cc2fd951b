// A reply as our server writes it: basic code, enhanced code where one applies, text of one or more
// lines. Built by ReceiveProtocol, Admission and the receive session; pure, any thread.
#pragma once

#include "transport/mail/enhanced_status.hpp"

#include <string>
#include <string_view>

namespace mailflow::smtp {

struct Reply {
    int code = 0;  // 200–599
    EnhancedStatus
        status;        // none on the greeting, on replies to HELO and EHLO, on 3yz (RFC 2034 §3)
    std::string text;  // lines separated by LF; what came from a client is escaped on the way out

    [[nodiscard]] bool is_positive() const noexcept { return code >= 200 && code < 400; }

    [[nodiscard]] bool is_temporary() const noexcept { return code >= 400 && code < 500; }

    [[nodiscard]] bool is_permanent() const noexcept { return code >= 500; }

    // `250-…CRLF250 …CRLF`, the enhanced code on each line (RFC 2034 §3), each line ≤ 512 octets:
    // longer text is cut at a character, control octets become `?`.
    void append_to(std::string& out) const;
    [[nodiscard]] std::string wire() const;
    // `550 5.1.1 User unknown`, lines joined by `; `: for logs.
    [[nodiscard]] std::string one_line() const;

    friend bool operator==(const Reply&, const Reply&) = default;
};

// `make_reply(550, "5.1.1", "User unknown")`. An empty status means none; a malformed one throws.
[[nodiscard]] Reply make_reply(int code, std::string_view status, std::string_view text);

}  // namespace mailflow::smtp
