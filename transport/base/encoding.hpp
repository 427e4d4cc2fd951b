// Base64 (RFC 4648 §4) and hexadecimal. Decoders are strict: no blanks, right padding, canonical
// bits.
#pragma once

#include "transport/base/result.hpp"

#include <string>
#include <string_view>

namespace mailflow {

[[nodiscard]] std::string base64_encode(std::string_view bytes);
[[nodiscard]] Result<std::string> base64_decode(std::string_view text);
[[nodiscard]] std::string hex_encode(std::string_view bytes);
[[nodiscard]] Result<std::string> hex_decode(std::string_view text);

}  // namespace mailflow
