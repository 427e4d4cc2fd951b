#include "transport/queue/report_rules.hpp"

#include <algorithm>

namespace mailflow {

namespace {

// Reference 5.5: the switches of the domain the report goes to; our own domains have none.
const RemoteDomain* switches_of(const ReversePath& reader, const Organization& organization) {
    if (reader.is_null() || !reader.address().domain()) {
        return nullptr;
    }
    const auto& domain = *reader.address().domain();
    return organization.find_accepted_domain(domain) != nullptr
               ? nullptr
               : &organization.find_remote_domain(domain);
}

bool is_switched_off(DsnKind kind, const ReversePath& reader, const Organization& organization) {
    const auto* const remote = switches_of(reader, organization);
    if (remote == nullptr) {
        return false;
    }
    const bool is_bad_news = kind == DsnKind::failed || kind == DsnKind::delayed;
    return is_bad_news ? !remote->ndr_enabled : !remote->delivery_report_enabled;
}

bool is_copied(DsnKind kind, EnhancedStatus status, const Organization& organization) {
    const auto& codes = organization.transport().generate_copy_of_dsn_for;
    return (kind == DsnKind::failed || kind == DsnKind::delayed) &&
           std::find(codes.begin(), codes.end(), status) != codes.end();
}

}  // namespace

ReportReaders readers_of(
    DsnKind kind,
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    EnhancedStatus status,
    const Organization& organization) noexcept {
    // RFC 3461 §4.1: not even the postmaster, so that what we tell him is told once.
    if (recipient.dsn.wants(NotifyOn::never)) {
        return {};
    }
    // RFC 5321 §4.5.5, §6.1: nobody sent it, so nobody is answered.
    if (message.envelope.reverse_path.is_null()) {
        const auto rule = organization.transport().double_bounce;
        return {
            .sender = false,
            .postmaster = kind == DsnKind::failed && rule == DoubleBounce::postmaster};
    }
    const auto& sender = message.report_to(recipient);
    if (sender.is_null()) {
        return {};
    }
    return {
        .sender = !is_switched_off(kind, sender, organization),
        .postmaster = is_copied(kind, status, organization)};
}

bool shows_diagnostics(const ReversePath& reader, const Organization& organization) noexcept {
    const auto* const remote = switches_of(reader, organization);
    return remote == nullptr || remote->ndr_diagnostic_info_enabled;
}

bool owes_failure(
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    EnhancedStatus status,
    const Organization& organization) noexcept {
    return recipient.dsn.wants(NotifyOn::failure) &&
           readers_of(DsnKind::failed, message, recipient, status, organization).any();
}

bool owes_success(
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    DeliveryAction action,
    PassedOn passed_on,
    const Organization& organization) noexcept {
    const bool is_delivered = action == DeliveryAction::delivered;
    const auto kind = is_delivered ? DsnKind::delivered : DsnKind::relayed;
    if (!readers_of(kind, message, recipient, {}, organization).any()) {
        return false;
    }
    const bool wants = recipient.dsn.wants(NotifyOn::success);
    if (is_delivered) {
        return wants;
    }
    // RFC 3461 §5.2.2: a peer without DSN will not say it, so we say how far we know.
    if (wants && !passed_on.dsn) {
        return true;
    }
    // RFC 2852 §4: with T each relaying is told; so is that a next hop knows of no deadline.
    const auto& deliver_by = message.envelope.deliver_by;
    return deliver_by && (deliver_by->trace || !passed_on.deliver_by);
}

bool owes_delay_notice(
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    const RetrySchedule& schedule,
    UtcTime now,
    const Organization& organization) noexcept {
    const auto status = recipient.last ? recipient.last->status : EnhancedStatus();
    if (!readers_of(DsnKind::delayed, message, recipient, status, organization).any()) {
        return false;
    }
    const auto& deliver_by = message.envelope.deliver_by;
    if (deliver_by && !deliver_by->return_late) {
        // The sender said when it is late: this is its one notice.
        return is_past_deadline(message, now);
    }
    return recipient.dsn.wants(NotifyOn::delay) &&
           schedule.wants_delay_notice(message.starts(), now);
}

bool is_past_deadline(const QueuedMessage& message, UtcTime now) noexcept {
    const auto deadline = message.deadline();
    return deadline && now >= *deadline;
}

bool must_return(const QueuedMessage& message, UtcTime now) noexcept {
    return is_past_deadline(message, now) && message.envelope.deliver_by->return_late;
}

}  // namespace mailflow
