// Small pure text functions on bytes: case-insensitive compare (ASCII only), trimming, numbers with
// bounds, splitting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::ascii {

[[nodiscard]] constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

[[nodiscard]] constexpr bool is_alpha(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Control characters and DEL.
[[nodiscard]] constexpr bool is_control(char c) noexcept {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

[[nodiscard]] std::string to_lower(std::string_view text);
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] bool starts_with_ignoring_case(
    std::string_view text, std::string_view prefix) noexcept;
// Orders names as Exchange does: case-insensitive, then by byte.
[[nodiscard]] bool less_ignoring_case(std::string_view a, std::string_view b) noexcept;
// Without blanks and tabs at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;
// All digits, no sign, no overflow; nothing otherwise.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text) noexcept;
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
// Control bytes, quotes and backslashes as \xNN, \" and \\: safe inside a log line or a reply.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace mailflow::ascii
