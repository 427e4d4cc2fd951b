// Which addresses a recipient should have by the address policies, and what that changes
// (reference 4.3, 4.4): the first policy that matches is the only one that counts, the generated
// primary becomes the primary, nothing is ever withdrawn. Pure; the caller knows which addresses
// are taken by others. Used when recipients are made and changed, and by `address-policy apply`.
#pragma once

#include "transport/addressing/address_template.hpp"
#include "transport/addressing/recipient_filter.hpp"
#include "transport/base/result.hpp"
#include "transport/org/address_policy.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// Numbers tried for an address that another has; then it is left out.
constexpr std::uint32_t kMaxNumber = 100'000;

// The precanned filter of a policy: one of its kinds and all of its conditions, values compared
// without case. A policy without any is for everybody.
[[nodiscard]] bool matches_precanned(const AddressPolicy& policy, const MailRecipient& recipient);

// The policies of an organization, their grammar read once. The policies outlive it.
class PolicySet {
  public:
    // Policies whose texts cannot be read are left out; `problems` (may be null) gets their names.
    PolicySet(const std::vector<AddressPolicy>& policies, std::vector<std::string>* problems);

    // The one that counts for this recipient; null when its address_policy_enabled is off, when it
    // is a contact whose primary is its external address (reference 4.5), or when nothing matches.
    // A policy that was never applied still shadows the ones behind it.
    [[nodiscard]] const AddressPolicy* find(const MailRecipient& recipient) const;

    struct Plan {
        const AddressPolicy* policy = nullptr;  // null: the recipient stays as it is
        // Primary first; all the addresses the recipient will have: the generated ones, then those
        // it has. An address that it has keeps the spelling it has.
        std::vector<EmailAddress> addresses;
        bool changes = false;  // `addresses` differ from what it has
        // Those that carry a number because another has them.
        std::vector<EmailAddress> numbered;
    };

    // `is_taken`: by a recipient other than this one. Asked for one address after another. What an
    // earlier plan numbered stays as it is while the plain address is taken. A new contact without
    // addresses gets its external one.
    [[nodiscard]] Plan plan(
        const MailRecipient& recipient,
        const std::function<bool(const EmailAddress&)>& is_taken) const;
    // The addresses that plan() might ask for before it numbers: what to look up in one go.
    [[nodiscard]] std::vector<EmailAddress> wanted(const MailRecipient& recipient) const;

  private:
    struct Entry {
        const AddressPolicy* policy = nullptr;
        AddressTemplate primary;
        std::vector<AddressTemplate> secondary;
        std::optional<RecipientFilter> filter;
    };

    using IsTaken = std::function<bool(const EmailAddress&)>;

    [[nodiscard]] const Entry* find_entry(const MailRecipient& recipient) const;
    // `wanted`, or the first free one with a number; nothing: all are taken.
    [[nodiscard]] static std::optional<EmailAddress> choose(
        const EmailAddress& wanted,
        const MailRecipient& recipient,
        const IsTaken& is_taken,
        Plan& plan);

    std::vector<Entry> entries_;
};

}  // namespace mailflow
