// RFC 3463 enhanced status code `class.subject.detail`, e.g. 5.1.1. Class 0 stands for "none
// given".
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

struct EnhancedStatus {
    std::uint16_t klass = 0;    // 2, 4 or 5
    std::uint16_t subject = 0;  // ≤ 999
    std::uint16_t detail = 0;   // ≤ 999

    [[nodiscard]] bool is_given() const noexcept { return klass != 0; }

    [[nodiscard]] std::string text() const;
    // Exactly `d.d{1,3}.d{1,3}` with class 2, 4 or 5.
    [[nodiscard]] static std::optional<EnhancedStatus> parse(std::string_view text);

    friend auto operator<=>(const EnhancedStatus&, const EnhancedStatus&) = default;
};

}  // namespace mailflow
