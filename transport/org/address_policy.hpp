// Which addresses recipients get (reference 4.1): the settings as configured. The grammar of
// templates and filters is `transport/addressing`'s. Plain data.
#pragma once

#include "transport/org/mail_recipient.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mailflow {

// Of the default policy, which always comes last.
constexpr std::uint32_t kLowestPriority = UINT32_MAX;
constexpr const char* kDefaultPolicyName = "Default Policy";

// One property of a precanned filter: the recipient has one of the values, without case.
struct PolicyCondition {
    std::string field;  // an attribute's name: `company`, `custom_attribute_3` …
    std::vector<std::string> values;
};

struct AddressPolicy {
    std::string name;
    std::uint32_t priority = kLowestPriority;  // 1 …; the lowest number is asked first
    std::string primary_template;              // `%g.%s@contoso.com`
    std::vector<std::string> secondary_templates;
    // Precanned filter: one of these kinds (empty: all recipients), and all conditions.
    std::vector<RecipientKind> included_recipients;
    std::vector<PolicyCondition> conditions;
    // Expression (reference 4.7); not together with the precanned one.
    std::string recipient_filter;
    // False from a change until the next apply: `address-policy list` shows it.
    bool applied = false;

    [[nodiscard]] bool is_default() const noexcept { return priority == kLowestPriority; }
};

}  // namespace mailflow
