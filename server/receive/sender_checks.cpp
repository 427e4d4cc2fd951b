#include "server/receive/sender_checks.hpp"

#include <utility>

namespace mailflow {

// ---- MAIL

Task<Verdict> check_account(
    Directory& directory, const MailRecipient& account, EmailAddress address) {
    const auto owner = co_await directory.find_recipient(std::move(address));
    if (!owner) {
        co_return Verdict{local_failure(owner.error()), "directory unavailable"};
    }
    if (!may_send_as(owner->get(), account.name)) {
        co_return send_as_refused("not the account's address");
    }
    co_return Verdict::accept();
}

Task<Verdict> check_reverse_path(
    Directory& directory, const Rights& rights, const MailRecipient* account, ReversePath path) {
    const bool bound = rights.is_bound_to_account();
    auto verdict = Verdict::accept();
    if (!bound) {
        verdict = check_sender(rights, path);
    }
    const bool logged_in = rights.standing == Standing::authenticated;
    // Decisions 2.12: <> is for everybody who logged in.
    if (logged_in && !path.is_null() && (bound || !verdict.is_accepted())) {
        verdict = co_await check_account(directory, *account, path.address());
    }
    co_return verdict;
}

// ---- end of data

bool must_judge_from(const Rights& rights) noexcept {
    if (rights.standing == Standing::authenticated) {
        return rights.is_bound_to_account() &&
               rights.connector->sender_policy != SenderPolicy::ignore;
    }
    return !has(rights.permissions, Permission::authoritative_domain_sender);
}

HeaderContext header_context(
    const Rights& rights,
    const MailRecipient* account,
    const ReversePath& reverse_path,
    std::string_view message_id,
    UtcTime time) {
    HeaderContext context;
    context.names = {rights.organization->node().fqdn, rights.connector->fqdn};
    context.accept_organization_headers =
        has(rights.permissions, Permission::accept_organization_headers);
    context.accept_routing_headers = has(rights.permissions, Permission::accept_routing_headers);
    if (rights.connector->submission) {
        auto& submission = context.submission.emplace();
        submission.default_domain = rights.default_domain();
        submission.message_id = message_id;
        submission.time = time;
        submission.reverse_path = reverse_path;
        submission.sender_policy = rights.connector->sender_policy;
        if (rights.is_bound_to_account()) {
            submission.account = account->primary();
        }
    }
    return context;
}

HeaderWishes header_wishes(
    const Rights& rights, const MailRecipient* account, const ReversePath& reverse_path) {
    auto wishes = wishes_for(header_context(rights, account, reverse_path, {}, {}));
    if (must_judge_from(rights)) {
        wishes.places |= bit(FieldKind::from);
        wishes.texts |= bit(FieldKind::from);
    }
    return wishes;
}

Task<Verdict> check_from(
    Directory& directory,
    const Rights& rights,
    const MailRecipient* account,
    const ScannedHeader& header,
    HeaderContext& context) {
    const SubmissionContext plain;
    const auto claimed = claimed_senders(header, context.submission ? *context.submission : plain);
    bool granted = claimed.is_whole;
    for (const auto& address : claimed.addresses) {
        if (rights.standing != Standing::authenticated) {
            const auto* const domain =
                address.domain() ? rights.organization->find_accepted_domain(*address.domain())
                                 : nullptr;
            if (domain != nullptr && domain->type == AcceptedDomainType::authoritative) {
                co_return send_as_refused("From: no right authoritative-domain-sender");
            }
            continue;
        }
        const auto verdict = co_await check_account(directory, *account, address);
        if (!verdict.is_accepted() && verdict.refusal->is_temporary()) {
            co_return verdict;
        }
        granted = granted && verdict.is_accepted();
    }
    if (context.submission) {
        context.submission->from_is_granted = granted;
        co_return Verdict::accept();
    }
    // Only a submission connector could put the header right.
    if (rights.standing == Standing::authenticated && !granted) {
        co_return send_as_refused("From is not the account's");
    }
    co_return Verdict::accept();
}

}  // namespace mailflow
