// A clock that moves when the test says so: both its times move together, but for steps of the
// wall's. Any thread.
#pragma once

#include "transport/base/clock.hpp"

#include <atomic>

namespace mailflow {

class ManualClock final : public Clock {
  public:
    // 2026-01-05 12:00:00 UTC, a Monday.
    ManualClock() = default;

    [[nodiscard]] UtcTime now() const noexcept override {
        return UtcTime(Duration(1'767'614'400'000 + passed_.load() + stepped_.load()));
    }

    [[nodiscard]] MonotonicTime monotonic() const noexcept override {
        return MonotonicTime(std::chrono::hours(1000) + Duration(passed_.load()));
    }

    void advance(Duration by) noexcept { passed_ += by.count(); }

    // Somebody sets the wall clock, forth or back.
    void step_wall(Duration by) noexcept { stepped_ += by.count(); }

    // Never back.
    void advance_to(MonotonicTime when) noexcept {
        if (when > monotonic()) {
            advance(std::chrono::ceil<Duration>(when - monotonic()));
        }
    }

  private:
    std::atomic<std::int64_t> passed_ = 0;   // milliseconds
    std::atomic<std::int64_t> stepped_ = 0;  // milliseconds
};

}  // namespace mailflow
