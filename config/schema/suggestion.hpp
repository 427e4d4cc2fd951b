// The nearest of some names to one that was mistyped, for messages: "unknown field x, did you mean
// y?". Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mailflow::schema {

// Empty when none is near enough to be meant. Ignores case, and takes `-` and `_` as the same.
[[nodiscard]] std::string_view nearest_name(
    std::string_view name, std::span<const std::string_view> names);

// `; did you mean "y"?`, or nothing.
[[nodiscard]] std::string did_you_mean(
    std::string_view name, std::span<const std::string_view> names);

}  // namespace mailflow::schema
