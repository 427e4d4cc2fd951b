#include "server/receive/message_facts.hpp"

#include "transport/addressing/header_rewriter.hpp"
#include "transport/mail/header_field.hpp"

#include <algorithm>

namespace mailflow {

namespace {

std::string value_of(const ScannedHeader& header, FieldKind kind) {
    const auto found =
        std::find_if(header.fields.begin(), header.fields.end(), [kind](const auto& field) {
            return field.kind == kind && !field.text.empty();
        });
    if (found == header.fields.end()) {
        return {};
    }
    const auto colon = found->text.find(':');
    return colon == std::string::npos ? std::string() : unfold(found->text.substr(colon + 1));
}

// Groups and mailboxes that forward treat programs as such, and so do remote domains that say so.
bool minds_programs(const Organization& organization, const NamedRecipients& recipients) {
    const auto& domains = organization.remote_domains();
    const bool a_domain_does = std::any_of(domains.begin(), domains.end(), [](const auto& domain) {
        return !domain.auto_reply_enabled;
    });
    return a_domain_does ||
           std::any_of(recipients.begin(), recipients.end(), [](const auto& recipient) {
               return recipient.resolved && recipient.resolved->recipient != nullptr &&
                      (recipient.resolved->kind == ResolvedKind::group ||
                       recipient.resolved->recipient->forwarding.is_set());
           });
}

}  // namespace

SenderFacts sender_facts(
    const Rights& rights, const RecipientPtr& account, const ReversePath& path) {
    return {.path = path, .is_authenticated = rights.is_known(), .account = account};
}

void add_categorizer_wishes(
    const SenderFacts& sender,
    const Organization& organization,
    const NamedRecipients& recipients,
    HeaderWishes& wishes) {
    const bool has_entries = !organization.address_rewrites().empty();
    FieldKinds wanted = 0;
    if (sender.is_authenticated || has_entries) {
        wanted |= rewritable_fields(has_entries);
    }
    if (minds_programs(organization, recipients)) {
        wanted |= bit(FieldKind::auto_submitted) | bit(FieldKind::content_type);
    }
    wishes.places |= wanted;
    wishes.texts |= wanted;
}

AutoSubmitted auto_submitted_of(const ScannedHeader& header, const ReversePath& sender) {
    return auto_submitted(
        value_of(header, FieldKind::auto_submitted),
        value_of(header, FieldKind::content_type),
        sender);
}

Verdict refusal_of(const Refusal& refusal, std::string_view reason) {
    return {smtp::make_reply(refusal.code, refusal.status.text(), refusal.text), reason};
}

Verdict check_admitted(const Rights& rights, const Result<AdmittedRecipient>& admitted) {
    if (!admitted) {
        return check_recipient(rights, admitted.error());
    }
    auto verdict = check_recipient(rights, admitted->resolved);
    if (verdict.is_accepted() && admitted->refusal) {
        verdict = refusal_of(*admitted->refusal, "restriction of the recipient");
    }
    return verdict;
}

std::uint64_t size_for_limits(std::uint64_t size, const HeaderDecision& decision) noexcept {
    auto kept = size + decision.added.size();
    for (const auto& edit : decision.edits) {
        kept = kept - edit.length + edit.text.size();
    }
    return std::min(size, kept);
}

bool must_refuse(const Rights& rights, const Categorized& categorized) noexcept {
    return categorized.refusal &&
           (!rights.is_known() || categorized.refusal->status != too_many_recipients().status);
}

}  // namespace mailflow
