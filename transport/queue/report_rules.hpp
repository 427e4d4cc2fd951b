// Which reports the sender of a message is owed about a recipient: what was asked for (RFC 3461
// §4.1, RFC 2852 §4), never anything to the null reverse-path (RFC 5321 §4.5.5), at most one of
// each kind. Pure. The queue manager asks when an outcome stands and obeys.
#pragma once

#include "transport/deliver/delivery_agent.hpp"
#include "transport/queue/retry_schedule.hpp"

namespace mailflow {

[[nodiscard]] bool owes_failure(
    const QueuedMessage& message, const QueuedRecipient& recipient) noexcept;

// `action`: delivered, or relayed to a peer that took over `passed_on`.
[[nodiscard]] bool owes_success(
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    DeliveryAction action,
    PassedOn passed_on) noexcept;

// At `now`, for a recipient that is not there yet and was not reported late before.
[[nodiscard]] bool owes_delay_notice(
    const QueuedMessage& message,
    const QueuedRecipient& recipient,
    const RetrySchedule& schedule,
    UtcTime now) noexcept;

// ---- the time to deliver by (RFC 2852)

[[nodiscard]] bool is_past_deadline(const QueuedMessage& message, UtcTime now) noexcept;

// Mode R: from the deadline on the message fails.
[[nodiscard]] bool must_return(const QueuedMessage& message, UtcTime now) noexcept;

}  // namespace mailflow
