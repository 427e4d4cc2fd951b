#include "transport/addressing/address_plan.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <unordered_set>

namespace mailflow {

namespace {

bool same(const EmailAddress& a, const EmailAddress& b) {
    return a.lookup_key() == b.lookup_key();
}

bool fulfils(const PolicyCondition& condition, const MailRecipient& recipient) {
    const auto attribute = recipient.attributes.find(condition.field);
    return attribute != recipient.attributes.end() &&
           std::any_of(
               condition.values.begin(), condition.values.end(), [&attribute](const auto& value) {
                   return ascii::equal_ignoring_case(value, attribute->second);
               });
}

// Reference 4.5: the primary of a contact is where it really gets its mail.
bool keeps_external_address(const MailRecipient& recipient) {
    return recipient.kind == RecipientKind::contact && recipient.external_address &&
           (recipient.addresses.empty() || same(recipient.primary(), *recipient.external_address));
}

// The number that an address of the recipient carries behind `wanted`; 0: it is another address.
std::uint32_t number_in(const EmailAddress& own, const EmailAddress& wanted) {
    const auto& local = own.local();
    const auto digits = local.find_last_not_of("0123456789") + 1;  // npos + 1: all are digits
    for (auto at = digits; at < local.size(); ++at) {
        const auto number = ascii::parse_number(std::string_view(local).substr(at));
        if (local[at] == '0' || !number || *number < 2 || *number > kMaxNumber) {
            continue;
        }
        const auto found = static_cast<std::uint32_t>(*number);
        if (same(numbered(wanted, found), own)) {
            return found;
        }
    }
    return 0;
}

}  // namespace

bool matches_precanned(const AddressPolicy& policy, const MailRecipient& recipient) {
    const auto& kinds = policy.included_recipients;
    const bool is_included =
        kinds.empty() || std::find(kinds.begin(), kinds.end(), recipient.kind) != kinds.end();
    return is_included && std::all_of(
                              policy.conditions.begin(),
                              policy.conditions.end(),
                              [&recipient](const PolicyCondition& condition) {
                                  return fulfils(condition, recipient);
                              });
}

PolicySet::PolicySet(
    const std::vector<AddressPolicy>& policies, std::vector<std::string>* problems) {
    for (const auto& policy : policies) {
        auto primary = AddressTemplate::parse(policy.primary_template, nullptr);
        bool is_good = primary.has_value();
        std::vector<AddressTemplate> secondary;
        for (const auto& text : policy.secondary_templates) {
            auto parsed = AddressTemplate::parse(text, nullptr);
            is_good = is_good && parsed.has_value();
            if (parsed) {
                secondary.push_back(std::move(*parsed));
            }
        }
        std::optional<RecipientFilter> filter;
        if (!policy.recipient_filter.empty()) {
            auto parsed = RecipientFilter::parse(policy.recipient_filter, nullptr);
            is_good = is_good && parsed.has_value();
            filter = parsed ? std::optional(std::move(*parsed)) : std::nullopt;
        }
        if (is_good) {
            entries_.push_back(
                {&policy, std::move(*primary), std::move(secondary), std::move(filter)});
        } else if (problems != nullptr) {
            problems->push_back(policy.name);
        }
    }
    std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
        return a.policy->priority < b.policy->priority;
    });
}

const AddressPolicy* PolicySet::find(const MailRecipient& recipient) const {
    const auto* const entry = find_entry(recipient);
    return entry == nullptr ? nullptr : entry->policy;
}

const PolicySet::Entry* PolicySet::find_entry(const MailRecipient& recipient) const {
    if (!recipient.address_policy_enabled || keeps_external_address(recipient)) {
        return nullptr;
    }
    // Reference 4.3: the first one that matches is the only one that counts, applied or not.
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&recipient](const Entry& entry) {
            return entry.filter ? entry.filter->matches(recipient)
                                : matches_precanned(*entry.policy, recipient);
        });
    return found == entries_.end() ? nullptr : &*found;
}

std::optional<EmailAddress> PolicySet::choose(
    const EmailAddress& wanted,
    const MailRecipient& recipient,
    const IsTaken& is_taken,
    Plan& plan) {
    if (!is_taken(wanted)) {
        return wanted;
    }
    for (const auto& own : recipient.addresses) {
        if (number_in(own, wanted) > 0) {
            plan.numbered.push_back(own);
            return own;
        }
    }
    for (std::uint32_t number = 2; number <= kMaxNumber; ++number) {
        auto candidate = numbered(wanted, number);
        if (!is_taken(candidate)) {
            plan.numbered.push_back(candidate);
            return candidate;
        }
    }
    return std::nullopt;
}

PolicySet::Plan PolicySet::plan(const MailRecipient& recipient, const IsTaken& is_taken) const {
    Plan plan;
    const auto& has = recipient.addresses;
    const auto* const entry = find_entry(recipient);
    if (entry == nullptr) {
        plan.addresses = has;
        if (has.empty() && keeps_external_address(recipient)) {
            plan.addresses.push_back(*recipient.external_address);
            plan.changes = true;
        }
        return plan;
    }
    plan.policy = entry->policy;
    std::unordered_set<std::string> keys;
    const auto add = [&plan, &keys](const EmailAddress& address) {
        if (keys.insert(address.lookup_key()).second) {
            plan.addresses.push_back(address);
        }
    };
    const auto generate = [&](const AddressTemplate& pattern) {
        const auto chosen = choose(pattern.expand(recipient), recipient, is_taken, plan);
        if (!chosen) {
            return;
        }
        const auto own = std::find_if(has.begin(), has.end(), [&chosen](const auto& address) {
            return same(address, *chosen);
        });
        plan.changes = plan.changes || own == has.end();
        add(own == has.end() ? *chosen : *own);
    };
    generate(entry->primary);
    if (plan.addresses.empty() && !has.empty()) {
        add(has.front());  // no number is free: the primary stays
    }
    for (const auto& pattern : entry->secondary) {
        generate(pattern);
    }
    // Reference fact 13: policies only add.
    for (const auto& address : has) {
        add(address);
    }
    plan.changes = plan.changes || (!has.empty() && !same(plan.addresses.front(), has.front()));
    if (!plan.changes) {
        plan.addresses = has;  // not even their order changes
    }
    return plan;
}

std::vector<EmailAddress> PolicySet::wanted(const MailRecipient& recipient) const {
    std::vector<EmailAddress> addresses;
    if (const auto* const entry = find_entry(recipient)) {
        addresses.push_back(entry->primary.expand(recipient));
        for (const auto& pattern : entry->secondary) {
            addresses.push_back(pattern.expand(recipient));
        }
    }
    return addresses;
}

}  // namespace mailflow
