#include "transport/mail/dsn_digest.hpp"

#include "transport/mail/date_time.hpp"
#include "transport/mail/dsn_text.hpp"
#include "transport/mail/dsn_words.hpp"
#include "transport/mail/header_field.hpp"

#include <fmt/format.h>

namespace mailflow {

namespace {

constexpr std::size_t kShownRecipients = 5;

std::string about(const WithheldReport& report) {
    auto text = fmt::format(
        "{}  {}  {}{}{}\r\n",
        to_iso8601(report.time),
        report.queue_id,
        to_text(report.kind),
        report.status.empty() ? "" : " ",
        report.status);
    text += "    to be told: " + printable(report.reader) + "\r\n";
    for (std::size_t i = 0; i < report.recipients.size(); ++i) {
        if (i == kShownRecipients) {
            return text +
                   fmt::format("    and {} more recipients\r\n", report.recipients.size() - i);
        }
        text += "    recipient: " + printable(report.recipients[i]) + "\r\n";
    }
    return text;
}

}  // namespace

std::string compose_dsn_digest(const DsnDigestInput& input, const WithheldReports& reports) {
    std::string text;
    text += fold("From", "Mail Delivery System <" + input.from.text() + '>');
    text += fold("To", '<' + input.to.text() + '>');
    text += fold("Subject", fmt::format("Delivery reports withheld: {}", reports.total));
    text += fold("Date", to_rfc5322(input.date));
    text += fold("Message-ID", input.message_id);
    // RFC 3834 §5: written by a program from time to time, in answer to nothing.
    text +=
        "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n\r\n";
    text += wrapped(fmt::format(
        "You get this as postmaster of {}. {} delivery reports were not made, because those who "
        "would have got them had as many as one may get in an hour (dsn-rate-limit of "
        "transport-config). Many reports to one address mostly mean that its name is misused in "
        "mail it did not send, or that it sends to a list of addresses that are out of date.",
        input.server,
        reports.total));
    text += "\r\n";
    for (const auto& report : reports.listed) {
        text += about(report);
    }
    if (reports.total > reports.listed.size()) {
        text += fmt::format(
            "\r\nand {} more: `smtpctl track --event DSN` lists them.\r\n",
            reports.total - reports.listed.size());
    }
    return text;
}

}  // namespace mailflow
