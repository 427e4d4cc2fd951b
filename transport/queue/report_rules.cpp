#include "transport/queue/report_rules.hpp"

namespace mailflow {

namespace {

bool may_report(const QueuedMessage& message, const QueuedRecipient& recipient) noexcept {
    return !message.envelope.reverse_path.is_null() && !recipient.dsn.wants(NotifyOn::never);
}

}  // namespace

bool owes_failure(const QueuedMessage& message, const QueuedRecipient& recipient) noexcept {
    return may_report(message, recipient) && recipient.dsn.wants(NotifyOn::failure);
}

bool owes_success(
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    DeliveryAction action,
    PassedOn passed_on) noexcept {
    if (!may_report(message, recipient)) {
        return false;
    }
    const bool wants = recipient.dsn.wants(NotifyOn::success);
    if (action == DeliveryAction::delivered) {
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
    UtcTime now) noexcept {
    if (!may_report(message, recipient)) {
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
