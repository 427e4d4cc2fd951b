#include "transport/mail/dsn_report.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/ip_address.hpp"
#include "transport/mail/date_time.hpp"
#include "transport/mail/dsn_text.hpp"
#include "transport/mail/dsn_words.hpp"
#include "transport/mail/encoded_word.hpp"
#include "transport/mail/header_field.hpp"
#include "transport/mail/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mailflow {

namespace {

// What is returned of the original, or an address in the parts before it, holds octets over 127.
bool is_eight_bit(const DsnInput& input) {
    const bool original =
        input.return_whole ? input.original.eight_bit : input.original.smtputf8_header;
    return original || needs_smtputf8(input);
}

// RFC 6533 §3: in a report that is all ASCII an internationalized address takes its
// utf-8-addr-xtext form. It gets there when one of our recipients has such an address and the
// sender wrote to another one of his.
std::string shown_address(const DsnInput& input, std::string_view address) {
    return needs_smtputf8(input) || utf8::is_ascii(address) ? std::string(address)
                                                            : ascii_address(address);
}

// ---- the status part

// RFC 3464 §2.1.2: `rfc822; address`. RFC 6533 §3: `utf-8` where the address needs it.
std::string typed_address(const DsnInput& input, std::string_view address) {
    return (utf8::is_ascii(address) ? "rfc822; " : "utf-8; ") + shown_address(input, address);
}

// RFC 3464 §2.1.2: the type `dns` takes a domain or an address literal.
std::string typed_mta(const std::string& name) {
    const auto address = IpAddress::parse(name);
    return "dns; " + (address ? address->literal() : printable(name));
}

// RFC 3461 §6.3: what ORCPT said, else what RCPT said.
std::string original_recipient(const DsnInput& input, const DsnRecipient& recipient) {
    const auto& given = recipient.original_recipient;
    const auto type_end = given.find(';');
    if (type_end == std::string::npos) {
        return recipient.original.empty() ? std::string()
                                          : typed_address(input, recipient.original);
    }
    return given.substr(0, type_end) + "; " + shown_address(input, given.substr(type_end + 1));
}

std::string recipient_fields(const DsnInput& input, const DsnRecipient& recipient) {
    std::string text = "\r\n";
    if (const auto original = original_recipient(input, recipient); !original.empty()) {
        text += fold("Original-Recipient", original);
    }
    text += fold("Final-Recipient", typed_address(input, recipient.address.text()));
    text += fold("Action", to_text(recipient.status.action));
    text += fold("Status", status_of(recipient).text());
    if (input.with_diagnostics && !recipient.status.remote_mta.empty()) {
        text += fold("Remote-MTA", typed_mta(recipient.status.remote_mta));
    }
    if (input.with_diagnostics && !recipient.status.diagnostic.empty()) {
        text += fold("Diagnostic-Code", "smtp; " + reply_form(recipient));
    }
    if (recipient.last_attempt) {
        text += fold("Last-Attempt-Date", to_rfc5322(*recipient.last_attempt));
    }
    // RFC 3464 §2.3.9: in reports of a delay only.
    if (recipient.will_retry_until && recipient.status.action == DeliveryAction::delayed) {
        text += fold("Will-Retry-Until", to_rfc5322(*recipient.will_retry_until));
    }
    return text;
}

std::string status_part(const DsnInput& input) {
    std::string text = needs_smtputf8(input) ? "Content-Type: message/global-delivery-status\r\n"
                                               "Content-Transfer-Encoding: 8bit\r\n\r\n"
                                             : "Content-Type: message/delivery-status\r\n\r\n";
    if (!input.envelope_id.empty()) {
        text += fold("Original-Envelope-Id", printable(input.envelope_id));
    }
    text += fold("Reporting-MTA", typed_mta(input.reporting_mta));
    text += fold("Arrival-Date", to_rfc5322(input.arrival));
    if (input.deliver_by_date) {
        text += fold("Deliver-By-Date", to_rfc5322(*input.deliver_by_date));
    }
    for (const auto& recipient : input.recipients) {
        text += recipient_fields(input, recipient);
    }
    return text;
}

// ---- the returned original

std::string original_part_header(const DsnInput& input) {
    std::string_view type;
    if (needs_smtputf8(input)) {
        type = input.return_whole ? "message/global" : "message/global-headers";
    } else {
        type = input.return_whole ? "message/rfc822" : "text/rfc822-headers";
    }
    const auto* encoding = is_eight_bit(input) ? "Content-Transfer-Encoding: 8bit\r\n" : "";
    return fmt::format("Content-Type: {}\r\n{}\r\n", type, encoding);
}

// ---- the whole

const char* subject_prefix(DsnKind kind) noexcept {
    switch (kind) {
        case DsnKind::failed: break;
        case DsnKind::delayed: return "Delivery delayed: ";
        case DsnKind::delivered: return "Delivered: ";
        case DsnKind::relayed: return "Relayed: ";
        case DsnKind::expanded: return "Expanded: ";
    }
    return "Undeliverable: ";
}

std::string subject_of(const DsnInput& input) {
    const auto* kind = subject_prefix(input.kind);
    const auto& original = input.original.subject;
    const bool as_it_is = needs_smtputf8(input) && utf8::is_valid(original) &&
                          std::none_of(original.begin(), original.end(), ascii::is_control);
    return kind + (as_it_is ? original : encode_unstructured(original));
}

std::string header_of(const DsnInput& input) {
    std::string text;
    text += fold("From", "Mail Delivery System <" + input.from.text() + '>');
    text += fold("To", '<' + input.to.text() + '>');
    text += fold("Subject", subject_of(input));
    text += fold("Date", to_rfc5322(input.date));
    text += fold("Message-ID", input.message_id);
    if (!input.original.message_id.empty()) {
        text += fold("In-Reply-To", input.original.message_id);
        text += fold("References", input.original.message_id);
    }
    // RFC 3834 §5: auto-generated must not label a report of (non-)delivery, auto-replied may.
    text += "Auto-Submitted: auto-replied\r\n";
    text += "MIME-Version: 1.0\r\n";
    text += "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"" +
            input.boundary + "\"\r\n";
    // RFC 2045 §6.4: a multipart is as wide as its widest part.
    text += is_eight_bit(input) ? "Content-Transfer-Encoding: 8bit\r\n" : "";
    return text + "\r\n";
}

}  // namespace

const char* to_text(DsnKind kind) noexcept {
    switch (kind) {
        case DsnKind::failed: break;
        case DsnKind::delayed: return "delayed";
        case DsnKind::delivered: return "delivered";
        case DsnKind::relayed: return "relayed";
        case DsnKind::expanded: return "expanded";
    }
    return "failed";
}

DsnText compose_dsn(const DsnInput& input) {
    const auto delimiter = "--" + input.boundary;
    DsnText text;
    text.head = header_of(input) + delimiter + "\r\n" + dsn_text_part(input) + delimiter + "\r\n" +
                status_part(input) + "\r\n" + delimiter + "\r\n" + original_part_header(input);
    text.tail = "\r\n" + delimiter + "--\r\n";
    text.eight_bit = is_eight_bit(input);
    text.smtputf8 = needs_smtputf8(input);
    return text;
}

}  // namespace mailflow
