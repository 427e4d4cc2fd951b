#include "transport/mail/submission_policy.hpp"

#include "transport/mail/address_list.hpp"
#include "transport/mail/header_field.hpp"
#include "transport/mail/trace_field.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// Mailboxes of one field that are read; Postfix has the same number of tokens.
constexpr std::size_t kMaxMailboxes = 10'240;

bool holds_addresses(FieldKind kind) noexcept {
    switch (kind) {
        case FieldKind::from:
        case FieldKind::sender:
        case FieldKind::to:
        case FieldKind::cc:
        case FieldKind::reply_to: return true;
        default: return false;
    }
}

// Octets of the field's name with the colon.
std::size_t name_length(const ScannedField& field) noexcept {
    return std::min(field.text.size(), field.text.find(':') + 1);
}

AddressList addresses_of(const ScannedField& field, std::size_t limit) {
    return scan_addresses(std::string_view(field.text).substr(name_length(field)), limit);
}

Result<EmailAddress> address_of(const ScannedMailbox& mailbox, std::string_view default_domain) {
    const auto domain = mailbox.bare ? '@' + std::string(default_domain) : std::string();
    return EmailAddress::parse(mailbox.address + domain);
}

// Says who the account is, and nothing else.
bool names_account(const ScannedField& sender, const SubmissionContext& context) {
    const auto list = addresses_of(sender, 2);
    if (!list.is_whole || list.mailboxes.size() != 1 || list.mailboxes.front().bare) {
        return false;
    }
    const auto address = address_of(list.mailboxes.front(), context.default_domain);
    return address && address->lookup_key() == context.account->lookup_key();
}

// RFC 6409 §8.1: Sender tells who submitted what is from somebody else. A right one stays, the
// first of wrong ones is put right, others go.
void fix_sender(
    const ScannedHeader& header, const SubmissionContext& context, HeaderDecision& decision) {
    const auto text = fold("Sender", context.account->text());
    const auto& fields = header.fields;
    const auto right = std::find_if(fields.begin(), fields.end(), [&context](const auto& field) {
        return field.kind == FieldKind::sender && names_account(field, context);
    });
    bool is_told = right != fields.end();
    for (auto field = fields.begin(); field != fields.end(); ++field) {
        if (field->kind == FieldKind::sender && field != right) {
            const bool tells = !std::exchange(is_told, true);
            decision.edits.push_back({field->offset, field->length, tells ? text : std::string()});
        }
    }
    if (!is_told) {
        decision.added += text;
    }
}

// RFC 6409 §4.2: who alters a message sees to it that all its address fields name domains in full.
// The domain is put in where the bare local part ends.
void complete_addresses(
    const ScannedField& field,
    std::string_view domain,
    std::size_t& room,
    std::vector<HeaderEdit>& edits) {
    const auto start = field.offset + name_length(field);
    for (const auto& mailbox : addresses_of(field, kMaxMailboxes).mailboxes) {
        if (mailbox.bare && room > 0) {
            edits.push_back({start + mailbox.local_end, 0, '@' + std::string(domain)});
            --room;
        }
    }
}

void add_missing_fields(
    const ScannedHeader& header, const SubmissionContext& context, HeaderDecision& decision) {
    if (!header.has(FieldKind::date)) {  // RFC 6409 §8.2
        decision.added += make_date(context.time);
        decision.adds_date = true;
    }
    const bool names_sender = !context.reverse_path.is_null() || context.account.has_value();
    if (!header.has(FieldKind::from) && names_sender) {
        // RFC 5322 §3.6 asks for one; as Postfix does, it is the envelope's.
        const auto& from =
            context.reverse_path.is_null() ? *context.account : context.reverse_path.address();
        decision.added += fold("From", from.text());
        decision.adds_from = true;
    }
    if (!header.has(FieldKind::message_id)) {  // RFC 6409 §8.3
        decision.added += make_message_id_field(context.message_id);
        decision.message_id = context.message_id;
    }
}

}  // namespace

ClaimedSenders claimed_senders(const ScannedHeader& header, const SubmissionContext& context) {
    ClaimedSenders senders;
    for (const auto& field : header.fields) {
        if (field.kind != FieldKind::from) {
            continue;
        }
        const auto list = addresses_of(field, kMaxClaimedSenders + 1);
        senders.is_whole = senders.is_whole && list.is_whole && !list.mailboxes.empty();
        for (const auto& mailbox : list.mailboxes) {
            auto address = address_of(mailbox, context.default_domain);
            auto& known = senders.addresses;
            if (!address || known.size() >= kMaxClaimedSenders) {
                senders.is_whole = false;
            } else if (std::find(known.begin(), known.end(), *address) == known.end()) {
                known.push_back(std::move(*address));
            }
        }
    }
    return senders;
}

void apply_submission_policy(
    const ScannedHeader& header, const SubmissionContext& context, HeaderDecision& decision) {
    const bool is_foreign =
        context.account && !context.from_is_granted && header.has(FieldKind::from);
    if (is_foreign && context.sender_policy == SenderPolicy::refuse) {
        // RFC 6409 §6.1
        decision.refusal = {
            550, {5, 7, 1}, "Client does not have permissions to send as this sender"};
        return;
    }
    add_missing_fields(header, context, decision);
    const bool fixes_sender = is_foreign && context.sender_policy == SenderPolicy::fix;
    if (fixes_sender) {
        fix_sender(header, context, decision);
    }
    std::size_t room = context.default_domain.empty() ? 0 : kMaxCompletedAddresses;
    for (const auto& field : header.fields) {
        const bool is_settled = fixes_sender && field.kind == FieldKind::sender;
        if (holds_addresses(field.kind) && !is_settled && room > 0) {
            complete_addresses(field, context.default_domain, room, decision.edits);
        }
    }
}

}  // namespace mailflow
