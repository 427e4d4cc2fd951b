// Reads a message while it streams in and collects what the flow must know of it (ContentFacts).
// Sees every octet of header and body once, keeps only the line and the field at hand, both cut to
// a named limit. Belongs to one transaction.
#pragma once

#include "transport/mail/content.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mailflow {

// What a header may be before it is refused with 552 5.3.4.
struct HeaderLimits {
    std::uint64_t max_header_size = 256ULL * 1024;  // octets of all fields
    std::uint64_t max_field_size = 102'400;  // octets of one field with its continuation lines
    std::uint32_t max_fields = 10'240;
};

class HeaderScanner {
  public:
    explicit HeaderScanner(HeaderLimits limits = {}) noexcept
        : limits_(limits) {}

    // Octets as stored: dot-unstuffed, lines ended by CRLF (a lone LF counts as an end too). Any
    // pieces.
    void feed(std::string_view bytes);
    // Call once, after the last octet.
    [[nodiscard]] ContentFacts finish();

    // True from the end of the line that passed the limit.
    [[nodiscard]] bool header_too_large() const noexcept { return header_too_large_; }

    [[nodiscard]] bool too_many_fields() const noexcept { return too_many_fields_; }

    // The first line was a continuation line: there is no header.
    [[nodiscard]] bool starts_with_blank() const noexcept { return starts_with_blank_; }

    // The body began without an empty line before it, at the first line that is no field.
    [[nodiscard]] bool lacks_empty_line() const noexcept { return lacks_empty_line_; }

    // The empty line, or a line that is no field, has been seen.
    [[nodiscard]] bool in_body() const noexcept { return in_body_; }

  private:
    void feed_header(std::string_view& bytes);
    void end_line();
    void end_field();
    void end_header(std::uint64_t size);
    void learn_message_id();
    void learn_subject();

    HeaderLimits limits_;
    ContentFacts facts_;
    std::string line_;   // the line at hand, cut
    std::string field_;  // the field at hand, folded, cut
    std::uint64_t line_size_ = 0;
    std::uint64_t field_size_ = 0;
    std::uint64_t offset_ = 0;  // octets of complete header lines
    std::uint32_t fields_ = 0;
    bool line_high_ = false;  // an octet over 127 in the line at hand
    bool in_body_ = false;
    bool header_too_large_ = false;
    bool too_many_fields_ = false;
    bool starts_with_blank_ = false;
    bool lacks_empty_line_ = false;
};

}  // namespace mailflow
