#include "transport/queue/retry_schedule.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::int64_t kJitterDivisor = 10;
constexpr Duration kLongestSpread = std::chrono::minutes(5);

// Uniform in [0, longest].
Duration random_part(Duration longest, Random& random) {
    if (longest <= Duration::zero()) {
        return Duration::zero();
    }
    return Duration(
        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(longest.count()) + 1)));
}

}  // namespace

Duration RetrySchedule::hop_interval(std::uint32_t attempts, Duration failing_for) const noexcept {
    if (failing_for >= settings_.long_retry_after) {
        return settings_.long_retry_interval;
    }
    if (attempts <= settings_.queue_glitch_retry_count) {
        return settings_.queue_glitch_retry_interval;
    }
    if (attempts - settings_.queue_glitch_retry_count <= settings_.transient_failure_retry_count) {
        return settings_.transient_failure_retry_interval;
    }
    return settings_.outbound_connection_failure_retry_interval;
}

UtcTime RetrySchedule::next_hop_retry(
    std::uint32_t attempts, UtcTime first_failure, UtcTime now, Random& random) const {
    const auto interval = hop_interval(attempts, now - first_failure);
    return now + interval + random_part(interval / kJitterDivisor, random);
}

UtcTime RetrySchedule::next_recipient_retry(UtcTime now) const noexcept {
    return now + settings_.message_retry_interval;
}

UtcTime RetrySchedule::spread_after_restart(
    std::uint32_t attempts, UtcTime first_failure, UtcTime now, Random& random) const {
    const auto interval = hop_interval(attempts, now - first_failure);
    return now + random_part(std::min(interval, kLongestSpread), random);
}

UtcTime RetrySchedule::expires_at(UtcTime accepted) const noexcept {
    return accepted + settings_.message_expiration_timeout;
}

bool RetrySchedule::is_expired(UtcTime accepted, UtcTime now) const noexcept {
    return now >= expires_at(accepted);
}

UtcTime RetrySchedule::late_at(UtcTime accepted) const noexcept {
    return accepted + settings_.delay_notification_timeout;
}

bool RetrySchedule::wants_delay_notice(UtcTime accepted, UtcTime now) const noexcept {
    return settings_.delay_dsn_enabled && now >= late_at(accepted);
}

}  // namespace mailflow
