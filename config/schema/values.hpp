// Values as people write them, and their one canonical text: sizes, durations, choices, endpoints,
// ranges. Pure; used by validation, the loader (which reads canonical text only) and smtpctl.
#pragma once

#include "config/schema/object_type.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow::schema {

constexpr std::string_view kUnlimited = "unlimited";
// Octets of a secret whose field has no limit of its own.
constexpr std::size_t kMaxSecretLength = 256;

// `36 MB`, `64kb`, `1048576` (octets): 1024-based, blank optional. Nothing when it is no size.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;
// The largest unit that divides it: `36 MB`, `1500 B`.
[[nodiscard]] std::string format_size(std::uint64_t octets);

// `500ms`, `90s`, `10m`, `4h`, `2d`, `hh:mm:ss`, `d.hh:mm:ss`, `0`. Nothing when it is no duration.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(
    std::string_view text) noexcept;
// The largest unit that divides it: `10m`, `90s`.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

// One value of a field (an element, when the field is a list) in canonical form, or what is wrong
// with it and what is allowed.
struct CheckedValue {
    boost::json::value value;
    std::string problem;  // empty: fine

    [[nodiscard]] bool ok() const noexcept { return problem.empty(); }
};

// Takes what JSON and TOML write (true, 5) and what a command line gives (`"true"`, `"5"`).
[[nodiscard]] CheckedValue check_value(const Field& field, const boost::json::value& value);

// Characters of UTF-8 text: octets that begin one.
[[nodiscard]] std::size_t count_characters(std::string_view text);

// Octets a secret of this field may have.
[[nodiscard]] std::size_t longest_secret(const Field& field);

// Empty when `text` may be a secret, else what is wrong with it, without repeating it.
[[nodiscard]] std::string check_secret(
    std::string_view text, std::size_t longest = kMaxSecretLength);

// What a value must look like, for messages and help: `a size from 64 KB to 2 GB, or unlimited`.
[[nodiscard]] std::string describe_values(const Field& field);

// A document's value for a table or a line of text: lists joined with `, `, `true`, `36 MB`.
[[nodiscard]] std::string value_text(const boost::json::value& value);

}  // namespace mailflow::schema
