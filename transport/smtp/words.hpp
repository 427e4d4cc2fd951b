// Blank-separated words of a command line. Only inside transport/smtp's parsers; pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace mailflow::smtp {

[[nodiscard]] inline std::string_view without_leading_blanks(std::string_view text) noexcept {
    const std::size_t start = text.find_first_not_of(" \t");
    return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

// The next word, taken off the front of `rest`; empty when there is none.
[[nodiscard]] inline std::string_view take_word(std::string_view& rest) noexcept {
    rest = without_leading_blanks(rest);
    const std::size_t end = std::min(rest.size(), rest.find_first_of(" \t"));
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end);
    return word;
}

}  // namespace mailflow::smtp
