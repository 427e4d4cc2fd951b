#include "transport/mail/dsn_report.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/ip_address.hpp"
#include "transport/mail/date_time.hpp"
#include "transport/mail/encoded_word.hpp"
#include "transport/mail/header_field.hpp"
#include "transport/mail/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace mailflow {

namespace {

// A line of a peer may be longer than a line of mail may be; RFC 5322 §2.1.1 leaves 998 with the
// field's name.
constexpr std::size_t kMaxDiagnostic = 900;

bool needs_smtputf8(const DsnInput& input) {
    return input.smtputf8 || input.from.needs_smtputf8() || input.to.needs_smtputf8();
}

// What is returned of the original, or an address in the parts before it, holds octets over 127.
bool is_eight_bit(const DsnInput& input) {
    const bool original =
        input.return_whole ? input.original.eight_bit : input.original.smtputf8_header;
    return original || needs_smtputf8(input);
}

EnhancedStatus status_of(const DsnRecipient& recipient) {
    if (recipient.status.status.is_given()) {
        return recipient.status.status;
    }
    switch (recipient.status.action) {
        case DeliveryAction::failed: return {5, 0, 0};
        case DeliveryAction::delayed: return {4, 0, 0};
        default: return {2, 0, 0};
    }
}

bool is_reply(std::string_view text) {
    constexpr std::size_t kCode = 3;
    return text.size() > kCode && ascii::parse_number(text.substr(0, kCode)) &&
           (text[kCode] == ' ' || text[kCode] == '-');
}

// Printable US-ASCII on one line: a peer's words must not form lines or fields of ours.
std::string printable(std::string_view text) {
    std::string clean(text.substr(0, kMaxDiagnostic));
    std::replace_if(
        clean.begin(),
        clean.end(),
        [](char c) { return ascii::is_control(c) || static_cast<unsigned char>(c) > 0x7f; },
        '?');
    return clean;
}

// `550 5.1.1 User unknown`: the remote's reply verbatim, or our own words in the same form.
std::string reply_form(const DsnRecipient& recipient) {
    const auto& words = recipient.status.diagnostic;
    if (recipient.status.by_remote || is_reply(words)) {
        return printable(words);
    }
    const auto status = status_of(recipient);
    const auto* code = status.klass == 5 ? "550" : status.klass == 4 ? "450" : "250";
    const auto reply = fmt::format("{} {} {}", code, status.text(), words);
    return printable(ascii::trimmed(reply));
}

// RFC 6533 §3: in a report that is all ASCII an internationalized address takes its
// utf-8-addr-xtext form. It gets there when one of our recipients has such an address and the
// sender wrote to another one of his.
std::string shown_address(const DsnInput& input, std::string_view address) {
    if (needs_smtputf8(input) || utf8::is_ascii(address)) {
        return std::string(address);
    }
    std::string text;
    while (!address.empty()) {
        const auto length = std::max<std::size_t>(1, utf8::sequence_length(address));
        const char c = address.front();
        const bool plain = c > 0x20 && c < 0x7f && c != '\\' && c != '+' && c != '=';
        text += plain ? std::string(1, c)
                      : fmt::format("\\x{{{:02X}}}", utf8::code_point(address.substr(0, length)));
        address.remove_prefix(length);
    }
    return text;
}

// ---- the human part

struct Explanation {
    EnhancedStatus status;
    std::string_view sentence;
};

// What the sender can make of a code (RFC 3463 §3). The first number is not compared.
constexpr std::array<Explanation, 17> kExplanations{
    {{{5, 1, 1},
      "The address was not found at its destination. Check it and send the message again."},
     {{5, 1, 2},
      "The domain of this address was not found. Check the address and send the message again."},
     {{5, 1, 3}, "This address is not valid. Check it and send the message again."},
     {{5, 1, 8}, "The destination does not accept mail from your address."},
     {{5, 1, 10}, "The domain of this address accepts no mail."},
     {{5, 2, 1}, "This mailbox is disabled and accepts no messages."},
     {{5, 2, 2}, "This mailbox is full. Try again later, or tell the recipient in another way."},
     {{5, 2, 3}, "The message is larger than this recipient accepts."},
     {{5, 3, 4}, "The message is larger than the destination accepts."},
     {{5, 4, 4}, "No mail server was found for the domain of this address."},
     {{5, 4, 6}, "The message went in a circle between mail servers."},
     {{5, 4, 7}, "The message could not be delivered in time. It will not be tried again."},
     {{5, 3, 3}, "The destination cannot do what was asked for with this message."},
     {{5, 6, 3}, "The destination does not accept this kind of content."},
     {{5, 6, 7}, "The destination does not accept internationalized addresses."},
     {{5, 7, 1}, "The destination refused the message by its rules."},
     {{5, 7, 30}, "The message may travel over TLS only, and that is not possible to there."}}};

std::string_view explanation_of(EnhancedStatus status) {
    for (const auto& explanation : kExplanations) {
        if (explanation.status.subject == status.subject &&
            explanation.status.detail == status.detail) {
            return explanation.sentence;
        }
    }
    return "The message could not be delivered.";
}

std::string introduction(const DsnInput& input) {
    switch (input.kind) {
        case DsnKind::failed: break;
        case DsnKind::delayed:
            return "Delivery to these recipients or groups is delayed. There is nothing you need "
                   "to\r\ndo: the server keeps trying.\r\n\r\n";
        case DsnKind::delivered:
            return "Your message has been delivered to these recipients or groups:\r\n\r\n";
        case DsnKind::relayed:
            return "Your message has been handed on for these recipients or groups. The server\r\n"
                   "that took it may not tell you when it is delivered:\r\n\r\n";
    }
    return "Delivery has failed to these recipients or groups:\r\n\r\n";
}

std::string sentence_for_the_sender(const DsnInput& input, const DsnRecipient& recipient) {
    switch (input.kind) {
        case DsnKind::failed: break;
        case DsnKind::delivered: return "Delivered to the mailbox.";
        case DsnKind::relayed: return "Handed to the mail server of the destination.";
        case DsnKind::delayed:
            return recipient.will_retry_until
                       ? "The message has not been delivered yet. It will be tried until\r\n" +
                             to_rfc5322(*recipient.will_retry_until) + '.'
                       : "The message has not been delivered yet.";
    }
    return std::string(explanation_of(status_of(recipient)));
}

std::string for_the_sender(const DsnInput& input, const DsnRecipient& recipient) {
    const auto address = recipient.original.empty() ? recipient.address.text() : recipient.original;
    return shown_address(input, address) + "\r\n" + sentence_for_the_sender(input, recipient) +
           "\r\n\r\n";
}

std::string for_administrators(const DsnInput& input, const DsnRecipient& recipient) {
    std::string text = shown_address(input, recipient.address.text()) + "\r\n";
    if (!recipient.status.by_remote) {
        return text + '#' + reply_form(recipient) + " ##\r\n\r\n";
    }
    if (!recipient.status.remote_mta.empty()) {
        text += printable(recipient.status.remote_mta) + "\r\n";
    }
    return text + "Remote Server returned '" + reply_form(recipient) + "'\r\n\r\n";
}

std::string human_part(const DsnInput& input) {
    std::string text =
        needs_smtputf8(input)
            ? "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            : "Content-Type: text/plain; charset=us-ascii\r\n\r\n";
    text += introduction(input);
    for (const auto& recipient : input.recipients) {
        text += for_the_sender(input, recipient);
    }
    text += "Diagnostic information for administrators:\r\n\r\n";
    text += "Generating server: " + input.reporting_mta + "\r\n\r\n";
    for (const auto& recipient : input.recipients) {
        text += for_administrators(input, recipient);
    }
    return text;
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
    if (!recipient.status.remote_mta.empty()) {
        text += fold("Remote-MTA", typed_mta(recipient.status.remote_mta));
    }
    if (!recipient.status.diagnostic.empty()) {
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
    // RFC 3834 §5: an answer made by a program in reply to a message.
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
    }
    return "failed";
}

DsnText compose_dsn(const DsnInput& input) {
    const auto delimiter = "--" + input.boundary;
    DsnText text;
    text.head = header_of(input) + delimiter + "\r\n" + human_part(input) + delimiter + "\r\n" +
                status_part(input) + "\r\n" + delimiter + "\r\n" + original_part_header(input);
    text.tail = "\r\n" + delimiter + "--\r\n";
    text.eight_bit = is_eight_bit(input);
    text.smtputf8 = needs_smtputf8(input);
    return text;
}

}  // namespace mailflow
