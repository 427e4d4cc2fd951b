// `address-policy apply`, a page at a time (reference 4.4): what the policies make of recipients
// that are there. Nothing is ever withdrawn, and no login name changes.
#include "config/recipient_service.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <algorithm>

namespace mailflow {

using Planning = CheckedRecipient::Planning;

namespace {

bool has(const std::vector<EmailAddress>& addresses, const EmailAddress& address) {
    const auto key = address.lookup_key();
    return std::any_of(addresses.begin(), addresses.end(), [&key](const EmailAddress& other) {
        return other.lookup_key() == key;
    });
}

// It has all its policy would give it, without numbers: nothing is to be asked about it.
bool is_as_wanted(const MailRecipient& recipient, const PolicySet& policies) {
    const auto wanted = policies.wanted(recipient);
    return !wanted.empty() && wanted.front().lookup_key() == recipient.primary().lookup_key() &&
           std::all_of(wanted.begin(), wanted.end(), [&recipient](const EmailAddress& address) {
               return has(recipient.addresses, address);
           });
}

// Reference 4.4, UpdateSecondaryAddressesOnly: what would be primary is not even added.
void keep_primary(const MailRecipient& current, std::vector<EmailAddress>& addresses) {
    std::vector<EmailAddress> kept = current.addresses;
    for (std::size_t i = 1; i < addresses.size(); ++i) {
        if (!has(kept, addresses[i])) kept.push_back(addresses[i]);
    }
    addresses = std::move(kept);
}

PolicyRunPage::Change change_of(const RecipientDraft& draft, const std::string& policy) {
    const auto& before = *draft.current;
    const auto& after = draft.next.recipient;
    PolicyRunPage::Change change;
    change.name = before.name;
    change.kind = before.kind;
    change.policy = policy;
    change.old_primary = before.primary().text();
    change.new_primary = after.primary().text();
    for (const auto& address : after.addresses) {
        if (!has(before.addresses, address)) change.added.push_back(address.text());
    }
    for (const auto& address : draft.numbered) {
        if (!has(before.addresses, address)) change.numbered.push_back(address.text());
    }
    if (!draft.next.ok()) change.problem = draft.next.problems.front().message;
    return change;
}

void note_login(const MailRecipient& recipient, PolicyRunPage& page) {
    if (recipient.kind == RecipientKind::mailbox &&
        recipient_key(recipient.upn) != recipient.primary().lookup_key()) {
        page.other_logins.push_back({recipient.name, recipient.upn, recipient.primary().text()});
    }
}

}  // namespace

Task<PolicyRunPage> RecipientService::apply_policies(
    PolicyRunRequest request, OrganizationPtr organization) {
    PolicyRunPage result;
    const auto& policies = policies_of(organization);
    auto page = co_await store_.page(request.after, kRecipientBatch);
    if (!page) {
        result.error = page.error();
        co_return result;
    }
    if (page->size() == kRecipientBatch) result.next = page->back().name;
    Drafts drafts;
    std::vector<std::string> names;  // of the drafts' policies
    for (auto& recipient : *page) {
        const auto* policy = policies.find(recipient);
        const bool meant =
            policy != nullptr &&
            (request.policy.empty() || ascii::equal_ignoring_case(policy->name, request.policy));
        if (!meant) {
            continue;
        }
        ++result.looked_at;
        if (is_as_wanted(recipient, policies)) {
            note_login(recipient, result);
            continue;
        }
        auto& draft = drafts.emplace_back();
        draft.next.recipient = recipient;
        draft.next.planning = Planning::always;
        draft.current = std::move(recipient);
        names.push_back(policy->name);
    }
    result.error = co_await complete(drafts, *organization);
    if (result.error) {
        co_return result;
    }
    std::vector<MailRecipient> records;
    std::vector<std::size_t> written;  // for each record its change
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        auto& draft = drafts[i];
        auto& after = draft.next.recipient;
        if (request.secondary_only) keep_primary(*draft.current, after.addresses);
        const bool changes = after.addresses != draft.current->addresses;
        if (changes || !draft.next.ok()) {
            result.changes.push_back(change_of(draft, names[i]));
        }
        note_login(changes ? after : *draft.current, result);
        if (changes && draft.next.ok()) {
            records.push_back(after);
            written.push_back(result.changes.size() - 1);
        }
    }
    if (request.what_if || records.empty()) {
        co_return result;
    }
    const auto stored = co_await store_.write_batch(std::move(records), std::move(request.author));
    if (!stored) {
        result.error = stored.error();
        co_return result;
    }
    for (std::size_t i = 0; i < written.size(); ++i) {
        if (!(*stored)[i]) {
            result.changes[written[i]].problem = (*stored)[i].error().message();
        }
    }
    co_return result;
}

}  // namespace mailflow
