// UTF-8 of RFC 3629, checked strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
// Pure; used where text of the wire may be internationalized (RFC 6531, RFC 6532).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mailflow::utf8 {

// Octets of the well-formed sequence at the front of `text`; 0 when there is none.
[[nodiscard]] std::size_t sequence_length(std::string_view text) noexcept;
// The character of one sequence, or the octet itself when `sequence` is none.
[[nodiscard]] std::uint32_t code_point(std::string_view sequence) noexcept;
[[nodiscard]] bool is_valid(std::string_view text) noexcept;
[[nodiscard]] bool is_ascii(std::string_view text) noexcept;
// The longest front part of at most `limit` octets that does not cut a sequence.
[[nodiscard]] std::string_view cut(std::string_view text, std::size_t limit) noexcept;

}  // namespace mailflow::utf8
