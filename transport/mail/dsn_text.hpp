// The part of a report that a person reads (reference 10.1): what happened, to whom, what to do;
// behind it, for administrators, who said what. Text of at most 78 columns where words allow it,
// the header of the original apart. Pure.
#pragma once

#include "transport/mail/dsn_report.hpp"

#include <string>
#include <string_view>

namespace mailflow {

// A complete MIME entity: its header, the empty line, its content.
[[nodiscard]] std::string dsn_text_part(const DsnInput& input);

// `text` in lines of at most 78 columns, broken at blanks; its own line ends stay. Ends with CRLF.
[[nodiscard]] std::string wrapped(std::string_view text);

// RFC 2045 §6.7, of text with CRLF line ends.
[[nodiscard]] std::string quoted_printable(std::string_view text);

}  // namespace mailflow
