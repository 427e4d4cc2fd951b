// How the sink misbehaves, in a small language: items joined by `,` (of a port) or `+` (in a local
// part).
//
//   CODE-STAGE[-N]   answer CODE (400–599) at STAGE, the first N times, or always; then accept
//   drop-STAGE[-N]   close without a reply at STAGE; at `data` in the middle of the text, at `dot`
//   after the final dot slow-MS          wait MS milliseconds before each reply no-EXTENSION leave
//   it out of EHLO: pipelining, size, 8bitmime, smtputf8, enhancedstatuscodes. Without
//                    PIPELINING, commands sent ahead are refused with 503
//   size-BYTES       announce SIZE BYTES and refuse larger messages with 552
//   recipients-N     452 for recipients beyond N of a message
//   messages-N       421 and close at the MAIL after N messages of a connection
//
// STAGE: connect, ehlo, mail, rcpt, data, dot. The recipient's local part decides at rcpt, data and
// dot (451-rcpt-2@…), the sender's at mail. A local part that is not wholly items means nothing.
// Values; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::lab {

enum class Stage : std::uint8_t { connect, ehlo, mail, rcpt, data, dot };

struct Failure {
    Stage stage = Stage::rcpt;
    int code = 0;                        // 0: drop the connection
    std::optional<std::uint64_t> times;  // nothing: always
    std::string text;                    // as written: what its count is kept by
};

struct Behaviour {
    std::vector<Failure> failures;
    std::chrono::milliseconds slow{0};
    std::vector<std::string> without;  // extensions, upper case
    std::optional<std::uint64_t> size;
    std::optional<std::uint64_t> recipients;
    std::optional<std::uint64_t> messages;
    std::string text;

    [[nodiscard]] bool offers(std::string_view extension) const;
};

// Nothing when any item is none.
[[nodiscard]] std::optional<Behaviour> parse_behaviour(std::string_view text, char separator);

}  // namespace mailflow::lab
