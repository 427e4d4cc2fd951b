// What the octets of a text message may be (RFC 5321 §2.3.8): lines ended by CRLF, no CR and no LF
// alone, none longer than kMaxTextLine. Shared by the decoders of DATA and BDAT; pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mailflow::smtp {

// A CR or LF that stands alone: the message is refused at its end, or each becomes a CRLF (for
// printers and scripts that never learned). Neither ever ends a message.
enum class BareNewlines : std::uint8_t { reject, normalize };

// Text that comes without dot-stuffing, in pieces cut anywhere.
class LineRules {
  public:
    explicit LineRules(BareNewlines rule) noexcept
        : rule_(rule) {}

    // Takes all of `bytes`; appends them, normalized where the rule says so, to `out`.
    void feed(std::string_view bytes, std::string& out);
    // The text is over: a last line without its CRLF gets one, so that what is kept is whole lines.
    void finish(std::string& out);

    [[nodiscard]] bool has_bare_newline() const noexcept { return bare_newline_; }

    [[nodiscard]] bool has_long_line() const noexcept { return long_line_; }

  private:
    void normalize(std::string_view bytes, std::string& out);
    void check(std::string_view bytes);
    void add_to_line(std::size_t octets);

    BareNewlines rule_;
    bool after_cr_ = false;
    bool bare_newline_ = false;
    bool long_line_ = false;
    std::size_t line_ = 0;  // octets of the current line so far
};

}  // namespace mailflow::smtp
