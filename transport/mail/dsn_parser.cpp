// The reading half of dsn_report.hpp.
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/mail/date_time.hpp"
#include "transport/mail/dsn_report.hpp"
#include "transport/mail/header_field.hpp"

namespace mailflow {

namespace {

constexpr std::size_t kMaxRecipients = 10'000;  // groups read from one report

// Behind the `type;` of a typed value (RFC 3464 §2.1.2).
std::string untyped(const std::string& value) {
    const auto semicolon = value.find(';');
    return std::string(ascii::trimmed(
        semicolon == std::string::npos ? value : std::string_view(value).substr(semicolon + 1)));
}

std::string untyped_field(const HeaderBlock& fields, std::string_view name) {
    const auto field = fields.find(name);
    return field ? untyped(field->value()) : std::string();
}

std::optional<UtcTime> date_field(const HeaderBlock& fields, std::string_view name) {
    const auto field = fields.find(name);
    if (!field) {
        return std::nullopt;
    }
    const auto time = parse_rfc5322(field->value());
    return time ? std::optional(*time) : std::nullopt;
}

// Takes the group of fields at the front of `text` and the empty lines behind it.
HeaderBlock take_group(std::string_view& text) {
    const HeaderBlock group(text);
    text.remove_prefix(group.size());
    while (text.starts_with("\r\n") || text.starts_with('\n')) {
        text.remove_prefix(text.front() == '\r' ? 2 : 1);
    }
    return group;
}

Result<ReportedRecipient> read_recipient(const HeaderBlock& fields) {
    const auto action = fields.find("Action");
    const auto status = fields.find("Status");
    ReportedRecipient recipient;
    recipient.final_recipient = untyped_field(fields, "Final-Recipient");
    if (recipient.final_recipient.empty() || !action || !status) {
        return Error::syntax;
    }
    recipient.original_recipient = untyped_field(fields, "Original-Recipient");
    recipient.action = ascii::to_lower(action->value());
    recipient.status = EnhancedStatus::parse(status->value());
    recipient.remote_mta = untyped_field(fields, "Remote-MTA");
    recipient.diagnostic = untyped_field(fields, "Diagnostic-Code");
    recipient.last_attempt = date_field(fields, "Last-Attempt-Date");
    recipient.will_retry_until = date_field(fields, "Will-Retry-Until");
    return recipient;
}

// The content of the status part when `text` is a whole message; else `text` itself.
std::string_view status_part_of(std::string_view text) {
    auto part = text;
    while (!part.empty()) {
        const HeaderBlock header(part);
        const auto type = header.find("Content-Type");
        const auto value = type ? type->value() : std::string();
        const bool is_status =
            ascii::starts_with_ignoring_case(value, "message/delivery-status") ||
            ascii::starts_with_ignoring_case(value, "message/global-delivery-status");
        if (is_status) {
            take_group(part);
            return part;
        }
        const auto delimiter = part.find("\n--");
        if (delimiter == std::string_view::npos) {
            return text;
        }
        part.remove_prefix(delimiter + 1);
        const auto line_end = part.find('\n');
        part.remove_prefix(line_end == std::string_view::npos ? part.size() : line_end + 1);
    }
    return text;
}

}  // namespace

Result<DeliveryReportFields> parse_delivery_status(std::string_view text) {
    auto rest = status_part_of(text);
    const auto per_message = take_group(rest);
    DeliveryReportFields report;
    if (const auto envelope_id = per_message.find("Original-Envelope-Id")) {
        report.original_envelope_id = envelope_id->value();
    }
    report.reporting_mta = untyped_field(per_message, "Reporting-MTA");
    report.arrival = date_field(per_message, "Arrival-Date");
    if (report.reporting_mta.empty()) {
        return Error::syntax;
    }
    // The next delimiter, or the end, is no field: the group there is empty.
    for (;;) {
        const auto fields = take_group(rest);
        if (fields.size() == 0) {
            return report;
        }
        if (report.recipients.size() == kMaxRecipients) {
            return Error::too_large;
        }
        auto recipient = read_recipient(fields);
        if (!recipient) {
            return recipient.error();
        }
        report.recipients.push_back(std::move(*recipient));
    }
}

}  // namespace mailflow
