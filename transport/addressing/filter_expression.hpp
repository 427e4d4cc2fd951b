// Conditions on recipients, combined: what stands behind RecipientFilter and ListFilter, which
// differ in how they are written only. Pure.
//
//   condition  = conjunction *( "-or" conjunction )
//   conjunction = term *( "-and" term )
//   term       = "-not" term / "(" condition ")" / property operator operand
//
// -and binds closer than -or. Comparisons ignore the case of ASCII letters. A property of many
// values (EmailAddresses) fulfils -eq, -like, -lt and -gt when one value does, and -ne and -notlike
// when none does the opposite. One that is not set equals $null and '', and nothing else.
#pragma once

#include "transport/base/result.hpp"
#include "transport/org/mail_recipient.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace mailflow {

// Octets of an expression, and how deep parentheses and -not may nest in it.
constexpr std::size_t kMaxFilter = 8'192;
constexpr std::size_t kMaxFilterDepth = 32;

enum class FilterSyntax : std::uint8_t {
    opath,  // reference 4.7: -eq -ne -lt -gt -like -notlike, 'text', number, $true $false $null
    // = != ~ < >, and or not beside those; bare words; a bare word that names a property is that
    // property of the same recipient
    list,
};

struct FilterNode;
using FilterTree = std::shared_ptr<const FilterNode>;

// Error::syntax or Error::too_large, and then `*why` (may be null) says what and where.
[[nodiscard]] Result<FilterTree> parse_filter(
    std::string_view text, FilterSyntax syntax, std::string* why);
[[nodiscard]] bool matches(const FilterNode& node, const MailRecipient& recipient);

}  // namespace mailflow
