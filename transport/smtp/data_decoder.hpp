// The octets after DATA: finds the real end, takes away dot-stuffing (RFC 5321 §4.5.2) and notes
// what makes the message unacceptable. Only CRLF.CRLF ends it; a CR or LF that stands alone never
// ends a line or a message (attack cases 1, 2). Pieces may be cut anywhere; the verdict is the
// same. One per transaction; pure.
#pragma once

#include "transport/smtp/line_rules.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mailflow::smtp {

class DataDecoder {
  public:
    explicit DataDecoder(BareNewlines rule = BareNewlines::reject) noexcept
        : rule_(rule) {}

    // Takes octets up to the end of the message, appends the decoded ones to `out` and says how
    // many it took. All are taken unless the end was among them; after the end none is.
    std::size_t feed(std::string_view bytes, std::string& out);

    [[nodiscard]] bool is_complete() const noexcept { return state_ == State::complete; }

    // A CR without LF or an LF without CR: refuse after the end with 550 5.6.11 (RFC 5321 §2.3.8).
    // False with BareNewlines::normalize: each has become a CRLF.
    [[nodiscard]] bool has_bare_newline() const noexcept { return bare_newline_; }

    // A line over kMaxTextLine: refuse after the end with 550 5.6.0.
    [[nodiscard]] bool has_long_line() const noexcept { return long_line_; }

    // Decoded octets so far.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  private:
    enum class State : std::uint8_t { line_start, text, text_cr, dot, dot_cr, complete };

    std::size_t feed_strict(std::string_view bytes, std::string& out);
    std::size_t feed_normalizing(std::string_view bytes, std::string& out);
    void normalize(char c, std::string& out);
    std::size_t take_text(std::string_view bytes);
    void end_line(std::size_t octets);

    BareNewlines rule_;
    State state_ = State::line_start;
    bool after_crlf_ =
        true;  // normalizing: the line before ended with a CRLF, not with half of one
    bool bare_newline_ = false;
    bool long_line_ = false;
    std::size_t line_ = 0;  // octets of the current line taken before this piece
    std::uint64_t size_ = 0;
};

}  // namespace mailflow::smtp
