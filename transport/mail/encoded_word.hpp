// RFC 2047: text outside US-ASCII in header fields that must be ASCII. Pure; used for the subjects
// of reports.
#pragma once

#include <string>
#include <string_view>

namespace mailflow {

// For an unstructured field: ASCII text stays as it is (controls become `?`), UTF-8 becomes
// encoded-words of at most 75 characters separated by blanks, octets that are no UTF-8 become `?`.
[[nodiscard]] std::string encode_unstructured(std::string_view text);

}  // namespace mailflow
