// Short ways to write the fields of object types that occur often. Used by the tables of this
// folder at start, nowhere else.
#pragma once

#include "config/schema/object_type.hpp"
#include "config/schema/values.hpp"

#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

namespace mailflow::schema {

constexpr std::uint64_t kKilobyte = 1024;
constexpr std::uint64_t kMaxInt = 2147483647;  // the field's upper end of most numbers and sizes
constexpr std::uint64_t kSecond = 1000;
constexpr std::uint64_t kMinute = 60 * kSecond;
constexpr std::uint64_t kHour = 60 * kMinute;
constexpr std::uint64_t kDay = 24 * kHour;

struct Range {
    std::uint64_t minimum = 0;
    std::uint64_t maximum = UINT64_MAX;
};

[[nodiscard]] inline Field limited(
    ValueKind kind,
    std::string_view name,
    std::string_view standard,
    Range range,
    std::string_view doc) {
    return {
        .name = name,
        .kind = kind,
        .defaults = {standard},
        .minimum = range.minimum,
        .maximum = range.maximum,
        .doc = doc};
}

[[nodiscard]] inline Field or_unlimited(Field field) {
    field.may_be_unlimited = true;
    return field;
}

[[nodiscard]] inline Field flag_field(
    std::string_view name, std::string_view standard, std::string_view doc) {
    return {.name = name, .kind = ValueKind::boolean, .defaults = {standard}, .doc = doc};
}

[[nodiscard]] inline Field text_field(
    std::string_view name, std::string_view default_note, std::string_view doc) {
    return {.name = name, .default_note = default_note, .doc = doc};
}

[[nodiscard]] inline Field choice_field(
    std::string_view name,
    std::string_view standard,
    std::vector<std::string_view> choices,
    std::string_view doc) {
    return {
        .name = name,
        .kind = ValueKind::choice,
        .defaults = {standard},
        .choices = std::move(choices),
        .doc = doc};
}

[[nodiscard]] inline std::vector<Field> joined(
    std::vector<Field> first, std::vector<Field> second) {
    std::move(second.begin(), second.end(), std::back_inserter(first));
    return first;
}

}  // namespace mailflow::schema
