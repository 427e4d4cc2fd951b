// A domain name, checked once: labels and lengths of RFC 5321 §2.3.5 and RFC 1035 §2.3.4,
// internationalized labels kept as A-labels (RFC 5890) in lower case, so equality is byte equality.
// Without trailing dot.
#pragma once

#include "transport/base/result.hpp"

#include <compare>
#include <functional>
#include <string>
#include <string_view>

namespace mailflow {

class DomainName {
  public:
    // Letters, digits, hyphens (inside), underscores are refused; U-labels are converted by IDNA
    // 2008. A single label is legal. Errors: Error::syntax, Error::too_large.
    [[nodiscard]] static Result<DomainName> parse(std::string_view text);

    // A-labels, lower case.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

    // For people: U-labels in UTF-8 where they round-trip.
    [[nodiscard]] std::string display() const;
    // True for the domain itself and everything below it.
    [[nodiscard]] bool is_within(const DomainName& parent) const noexcept;
    // Without the first label; empty text when none is left.
    [[nodiscard]] std::string_view parent() const noexcept;

    friend auto operator<=>(const DomainName&, const DomainName&) = default;

  private:
    explicit DomainName(std::string text)
        : text_(std::move(text)) {}

    std::string text_;
};

}  // namespace mailflow

template <>
struct std::hash<mailflow::DomainName> {
    std::size_t operator()(const mailflow::DomainName& name) const noexcept {
        return std::hash<std::string>{}(name.text());
    }
};
