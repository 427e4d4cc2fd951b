// Which reports are owed about a recipient, and who reads them: what was asked for (RFC 3461 §4.1,
// RFC 2852 §4), never anything to the null reverse-path (RFC 5321 §4.5.5), what remote domains and
// transport-config switch (reference 5.5, 10.2), at most one of each kind. Pure. The queue manager
// asks when an outcome stands and obeys; the generator asks whom to tell.
#pragma once

#include "transport/deliver/delivery_agent.hpp"
#include "transport/mail/dsn_report.hpp"
#include "transport/org/organization.hpp"
#include "transport/queue/retry_schedule.hpp"

namespace mailflow {

struct ReportReaders {
    bool sender = false;      // QueuedMessage::report_to
    bool postmaster = false;  // a copy, or in place of a sender who cannot be told

    [[nodiscard]] bool any() const noexcept { return sender || postmaster; }

    friend bool operator==(const ReportReaders&, const ReportReaders&) = default;
};

// Of a report of `kind` about `recipient`, when one is to be made. `status`: of the outcome.
[[nodiscard]] ReportReaders readers_of(
    DsnKind kind,
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    EnhancedStatus status,
    const Organization& organization) noexcept;

// Reference 5.5: whether a report to `reader` may say how our servers and others talked.
[[nodiscard]] bool shows_diagnostics(
    const ReversePath& reader, const Organization& organization) noexcept;

[[nodiscard]] bool owes_failure(
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    EnhancedStatus status,
    const Organization& organization) noexcept;

// `action`: delivered, or relayed to a peer that took over `passed_on`. Of an expansion it was
// decided when the group gave way to its members.
[[nodiscard]] bool owes_success(
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    DeliveryAction action,
    PassedOn passed_on,
    const Organization& organization) noexcept;

// At `now`, for a recipient that is not there yet and was not reported late before.
[[nodiscard]] bool owes_delay_notice(
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    const RetrySchedule& schedule,
    UtcTime now,
    const Organization& organization) noexcept;

// ---- the time to deliver by (RFC 2852)

[[nodiscard]] bool is_past_deadline(const QueuedMessage& message, UtcTime now) noexcept;

// Mode R: from the deadline on the message fails.
[[nodiscard]] bool must_return(const QueuedMessage& message, UtcTime now) noexcept;

}  // namespace mailflow
