#include "transport/mail/enhanced_status.hpp"

#include "transport/base/ascii.hpp"

namespace mailflow {

namespace {

std::optional<std::uint16_t> parse_part(std::string_view text) {
    constexpr std::size_t kMaxDigits = 3;
    const auto number = ascii::parse_number(text);
    // RFC 3463 §2: numeric sub-codes are expressed without leading zero digits.
    if (!number || text.size() > kMaxDigits || (text.size() > 1 && text.front() == '0')) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(*number);
}

}  // namespace

std::string EnhancedStatus::text() const {
    return std::to_string(klass) + '.' + std::to_string(subject) + '.' + std::to_string(detail);
}

std::optional<EnhancedStatus> EnhancedStatus::parse(std::string_view text) {
    const auto first_dot = text.find('.');
    if (first_dot != 1 || (text[0] != '2' && text[0] != '4' && text[0] != '5')) {
        return std::nullopt;
    }
    const auto second_dot = text.find('.', first_dot + 1);
    if (second_dot == std::string_view::npos) {
        return std::nullopt;
    }
    const auto subject = parse_part(text.substr(first_dot + 1, second_dot - first_dot - 1));
    const auto detail = parse_part(text.substr(second_dot + 1));
    if (!subject || !detail) {
        return std::nullopt;
    }
    return EnhancedStatus{static_cast<std::uint16_t>(text[0] - '0'), *subject, *detail};
}

}  // namespace mailflow
