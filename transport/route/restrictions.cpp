#include "transport/route/restrictions.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace mailflow {

namespace {

constexpr Refusal kAuthRequired{
    550, {5, 7, 1}, "RESOLVER.RST.AuthRequired; authentication required"};
constexpr Refusal kNotAuthorized{550, {5, 7, 1}, "RESOLVER.RST.NotAuthorized; not authorized"};
constexpr Refusal kRecipientSize{
    552, {5, 2, 3}, "RESOLVER.RST.RecipSizeLimit; message too large for this recipient"};
constexpr Refusal kTooLarge{552, {5, 3, 4}, "Message size exceeds fixed maximum message size"};

constexpr Restriction kPassed{RestrictStep::passed, {}};
constexpr Restriction kWanted{RestrictStep::wanted, {}};

Restriction refused(const Refusal& refusal) {
    return {RestrictStep::refused, refusal};
}

// Is the sender in the list, itself or through a group in it? None: `facts` wants something.
// Reference 5.2: names first, then groups are looked into.
std::optional<bool> is_listed(
    const std::vector<std::string>& names, const RecipientPtr& sender, DirectoryFacts& facts) {
    if (sender == nullptr) {
        return false;
    }
    const bool named = std::any_of(names.begin(), names.end(), [&sender](const auto& name) {
        return ascii::equal_ignoring_case(name, sender->name);
    });
    if (named) {
        return true;
    }
    for (const auto& name : names) {
        const auto is_member = facts.is_member(name, sender->name);
        if (!is_member || *is_member) {
            return is_member;
        }
    }
    return false;
}

Restriction check_lists(
    const SenderFacts& sender, const MailRecipient& recipient, DirectoryFacts& facts) {
    const auto& limits = recipient.limits;
    if (limits.accept_from.empty() && limits.reject_from.empty()) {
        return kPassed;
    }
    if (sender.path.is_null() && recipient.kind != RecipientKind::group) {
        // RFC 5321 §6.1: whoever sends mail takes the reports about it, from wherever they come.
        return kPassed;
    }
    const auto known = find_sender(sender, facts);
    if (!known) {
        return kWanted;
    }
    const auto rejected = is_listed(limits.reject_from, *known, facts);
    if (!rejected) {
        return kWanted;
    }
    if (*rejected) {
        return refused(kNotAuthorized);
    }
    if (limits.accept_from.empty()) {
        return kPassed;
    }
    const auto accepted = is_listed(limits.accept_from, *known, facts);
    if (!accepted) {
        return kWanted;
    }
    return *accepted ? kPassed : refused(kNotAuthorized);
}

// Reference 13.2, fact 19: among ourselves a recipient's own limit stands in place of the
// organization's, upwards too; of strangers the organization's was asked for before.
std::optional<std::uint64_t> max_receive_size(
    const SenderFacts& sender, const MailRecipient& recipient, const Organization& organization) {
    if (recipient.limits.max_receive_size || !sender.is_authenticated) {
        return recipient.limits.max_receive_size;
    }
    return organization.transport().max_receive_size;
}

// Reference 8.1: what the organization itself says reaches everybody.
bool is_exempt(const SenderFacts& sender, const Organization& organization) {
    const auto& postmaster = organization.transport().external_postmaster_address;
    return sender.is_own_report || (postmaster && sender.is_authenticated &&
                                    !sender.path.is_null() && sender.path.address() == *postmaster);
}

}  // namespace

DeliveryStatus Refusal::failure() const {
    DeliveryStatus failure;
    failure.action = DeliveryAction::failed;
    failure.status = status;
    failure.diagnostic =
        std::to_string(code).append(" ").append(status.text()).append(" ").append(text);
    return failure;
}

std::optional<RecipientPtr> find_sender(const SenderFacts& sender, DirectoryFacts& facts) {
    if (sender.path.is_null() || !sender.path.address().domain()) {
        return RecipientPtr();
    }
    const auto& address = sender.path.address();
    if (sender.account != nullptr && sender.account->has_address(address.lookup_key())) {
        return sender.account;
    }
    // A contact's address may be in any domain, so strangers are asked for too.
    const auto* const found = facts.find(address);
    return found == nullptr ? std::nullopt : std::optional(*found);
}

Restriction check_restrictions(
    const SenderFacts& sender,
    const MailRecipient& recipient,
    std::uint64_t size,
    const Organization& organization,
    DirectoryFacts& facts) {
    if (is_exempt(sender, organization)) {
        return kPassed;
    }
    if (recipient.limits.require_authenticated_sender && !sender.is_authenticated) {
        return refused(kAuthRequired);
    }
    const auto listed = check_lists(sender, recipient, facts);
    if (listed.step != RestrictStep::passed) {
        return listed;
    }
    const auto limit = max_receive_size(sender, recipient, organization);
    return limit && size > *limit ? refused(kRecipientSize) : kPassed;
}

std::optional<std::uint64_t> max_send_size(
    const SenderFacts& sender, const Organization& organization) {
    if (sender.is_own_report) {
        return std::nullopt;
    }
    if (sender.account != nullptr && sender.account->limits.max_send_size) {
        return sender.account->limits.max_send_size;
    }
    return organization.transport().max_send_size;
}

std::optional<Refusal> check_outbound_size(
    const SenderFacts& sender, std::uint64_t size, const Organization& organization) {
    const auto limit = organization.transport().max_receive_size;
    if (sender.is_own_report || !limit || size <= *limit) {
        return std::nullopt;
    }
    return kTooLarge;
}

Refusal unknown_recipient() {
    return {550, {5, 1, 1}, "RESOLVER.ADR.RecipNotFound; not found"};
}

Refusal too_many_recipients() {
    return {550, {5, 5, 3}, "RESOLVER.ADR.RecipLimit; too many recipients"};
}

Refusal mail_loop() {
    return {550, {5, 4, 6}, "Hop count exceeded - possible mail loop"};
}

Refusal message_too_large() {
    return kTooLarge;
}

Refusal recipient_too_large() {
    return kRecipientSize;
}

Refusal group_too_deep() {
    return {550, {5, 4, 6}, "Groups are nested too deep"};
}

}  // namespace mailflow
