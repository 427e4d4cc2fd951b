// How often something may happen: a rate in a minute, with what was not used of the last ten
// seconds at hand. Pure: told the time. Used by Destination on the queue lane.
#pragma once

#include "transport/base/clock.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace mailflow {

// The part of a minute whose tokens may be saved up.
constexpr double kBurstPerMinute = 6;

class TokenBucket {
  public:
    // Full at the start. `per_minute`: at least 1.
    TokenBucket(std::uint32_t per_minute, MonotonicTime now) noexcept
        : rate_(std::max(1U, per_minute))
        , most_(std::max(1.0, rate_ / kBurstPerMinute))
        , tokens_(most_)
        , filled_(now) {}

    [[nodiscard]] std::uint32_t per_minute() const noexcept { return rate_; }

    [[nodiscard]] bool has_token(MonotonicTime now) const noexcept { return at(now) >= 1; }

    // When there is one; `now` when there is one already.
    [[nodiscard]] MonotonicTime next_token(MonotonicTime now) const noexcept {
        const auto missing = std::max(0.0, 1 - at(now));
        return now + Duration(static_cast<std::int64_t>(std::ceil(missing * kMinute / rate_)));
    }

    // Also without one: then the next one takes longer.
    void take(MonotonicTime now) noexcept {
        tokens_ = at(now) - 1;
        filled_ = now;
    }

    // What it was taken for did not happen.
    void give_back() noexcept { tokens_ = std::min(most_, tokens_ + 1); }

  private:
    static constexpr double kMinute = 60'000;  // milliseconds

    [[nodiscard]] double at(MonotonicTime now) const noexcept {
        const std::chrono::duration<double, std::milli> passed = now - filled_;
        // Rounding must not keep a token from who waited for it.
        constexpr double kRounding = 1e-9;
        return std::min(most_, tokens_ + passed.count() * rate_ / kMinute + kRounding);
    }

    std::uint32_t rate_;
    double most_;
    double tokens_;
    MonotonicTime filled_;
};

}  // namespace mailflow
