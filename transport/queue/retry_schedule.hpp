// When something is tried again, and when it is given up (decisions: retry ladder; reference 9.8).
// Pure: settings and times in, times out. Used by the queue manager on the queue lane; no time it
// gives is ever earlier than the settings say.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/random.hpp"
#include "transport/org/transport_settings.hpp"

#include <cstdint>

namespace mailflow {

class RetrySchedule {
  public:
    explicit RetrySchedule(const TransportSettings& settings) noexcept
        : settings_(settings) {}

    // The pause after failed attempt number `attempts` (1: the first) of a next hop that has been
    // failing for `failing_for`.
    [[nodiscard]] Duration hop_interval(
        std::uint32_t attempts, Duration failing_for) const noexcept;
    // `now` + that pause + 0–10 % jitter, so that destinations that died together are not tried
    // together.
    [[nodiscard]] UtcTime next_hop_retry(
        std::uint32_t attempts, UtcTime first_failure, UtcTime now, Random& random) const;
    // A recipient refused with 4xx while the connection works.
    [[nodiscard]] UtcTime next_recipient_retry(UtcTime now) const noexcept;
    // After a restart an overdue hop waits for a part of its pause, at most 5 minutes.
    [[nodiscard]] UtcTime spread_after_restart(
        std::uint32_t attempts, UtcTime first_failure, UtcTime now, Random& random) const;

    [[nodiscard]] UtcTime expires_at(UtcTime accepted) const noexcept;
    [[nodiscard]] bool is_expired(UtcTime accepted, UtcTime now) const noexcept;
    // When a delay notice becomes due.
    [[nodiscard]] UtcTime late_at(UtcTime accepted) const noexcept;
    // The sender is owed a delay notice for what has not arrived by `now`.
    [[nodiscard]] bool wants_delay_notice(UtcTime accepted, UtcTime now) const noexcept;

  private:
    TransportSettings settings_;
};

}  // namespace mailflow
