#include "transport/mail/header_policy.hpp"

#include "transport/mail/header_field.hpp"
#include "transport/mail/submission_policy.hpp"
#include "transport/mail/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace mailflow {

namespace {

constexpr FieldKinds kAddressKinds = bit(FieldKind::from) | bit(FieldKind::sender) |
                                     bit(FieldKind::to) | bit(FieldKind::cc) |
                                     bit(FieldKind::reply_to);
constexpr FieldKinds kSubmissionKinds =
    kAddressKinds | bit(FieldKind::date) | bit(FieldKind::message_id);

// Kinds that go, whatever they say.
FieldKinds removed_kinds(const HeaderContext& context) noexcept {
    // RFC 5321 §4.4: Return-Path is for the server of the final delivery to write, and for nobody
    // before it.
    FieldKinds kinds = bit(FieldKind::return_path);
    if (!context.accept_organization_headers) {
        kinds |= bit(FieldKind::organization);
    }
    if (!context.accept_routing_headers) {
        // Deviation: RFC 5321 §4.4 has nobody delete Received. An administrator who takes the right
        // away, which everybody has by default, asks for it; hops are counted before.
        kinds |= bit(FieldKind::received) | bit(FieldKind::resent) | bit(FieldKind::resent_bcc) |
                 bit(FieldKind::resent_from) | bit(FieldKind::resent_sender);
    }
    if (context.submission) {
        // RFC 5322 §3.6.3, §3.6.6: whoever is in Bcc is not told to the others; the envelope has
        // them.
        kinds |= bit(FieldKind::bcc) | bit(FieldKind::resent_bcc);
    }
    return kinds;
}

// authres-payload = [CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo ) [CFWS]
// authserv-id     = value: a token or a quoted-string of RFC 2045
std::string authserv_id(std::string_view field) {
    const auto payload = after_cfws(field.substr(std::min(field.size(), field.find(':') + 1)));
    if (!payload || !payload->starts_with('"')) {
        constexpr std::string_view kEndsToken = " \t\r\n(;\"";
        return payload ? std::string(payload->substr(0, payload->find_first_of(kEndsToken)))
                       : std::string();
    }
    std::string id;
    for (std::size_t i = 1; i < payload->size() && (*payload)[i] != '"'; ++i) {
        i += (*payload)[i] == '\\' && i + 1 < payload->size() ? 1 : 0;
        id += (*payload)[i];
    }
    return id;
}

bool is_removed(const ScannedField& field, FieldKinds kinds, const HeaderContext& context) {
    if ((kinds & bit(field.kind)) != 0) {
        return true;
    }
    // RFC 8601 §5: results under our name that come from outside were not found by us. From within
    // the organization they may have been.
    return field.kind == FieldKind::authentication_results &&
           !context.accept_organization_headers && context.names.holds(authserv_id(field.text));
}

// Neighbours go together.
void leave_out(const ScannedField& field, std::vector<HeaderEdit>& edits) {
    if (!edits.empty() && edits.back().offset + edits.back().length == field.offset) {
        edits.back().length += field.length;
    } else {
        edits.push_back({field.offset, field.length, {}});
    }
}

}  // namespace

HeaderWishes wishes_for(const HeaderContext& context) noexcept {
    HeaderWishes wishes{removed_kinds(context), 0, context.names};
    if (!context.accept_organization_headers) {
        wishes.texts |= bit(FieldKind::authentication_results);
    }
    if (context.submission) {
        wishes.places |= kSubmissionKinds;
        wishes.texts |= kAddressKinds;
    }
    wishes.places |= wishes.texts;
    return wishes;
}

HeaderDecision decide_header(const ScannedHeader& header, const HeaderContext& context) {
    HeaderDecision decision;
    if (header.starts_with_blank) {
        // Attack case 21: what was read as body must not continue our Received field, and become a
        // header behind it that no firewall has seen.
        decision.edits.push_back({0, 0, "\r\n"});
    }
    const auto kinds = removed_kinds(context);
    for (const auto& field : header.fields) {
        if (is_removed(field, kinds, context)) {
            leave_out(field, decision.edits);
        }
    }
    if (context.submission) {
        apply_submission_policy(header, *context.submission, decision);
        std::sort(decision.edits.begin(), decision.edits.end(), [](const auto& a, const auto& b) {
            return a.offset < b.offset;
        });
    }
    return decision;
}

void HeaderDecision::apply_to(Content& content) && {
    auto& facts = content.facts;
    const bool is_ascii =
        utf8::is_ascii(added) && std::all_of(edits.begin(), edits.end(), [](const auto& edit) {
            return utf8::is_ascii(edit.text);
        });
    facts.eight_bit = facts.eight_bit || !is_ascii;
    facts.smtputf8_header = facts.smtputf8_header || !is_ascii;
    facts.has_date = facts.has_date || adds_date;
    facts.has_from = facts.has_from || adds_from;
    if (!message_id.empty()) {
        facts.message_id = std::move(message_id);
    }
    content.prefix += added;
    content.edits = std::move(edits);
}

}  // namespace mailflow
