// Virtual time: a clock that stands until the simulation moves it, and what is to happen later.
// Events of one instant run in the order in which they were scheduled. One thread.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/unique_function.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace mailflow::sim {

class SimClock final : public Clock {
  public:
    explicit SimClock(UtcTime start) noexcept
        : start_(start) {}

    [[nodiscard]] UtcTime now() const noexcept override {
        return start_ + std::chrono::floor<std::chrono::milliseconds>(elapsed_);
    }

    [[nodiscard]] MonotonicTime monotonic() const noexcept override {
        return MonotonicTime(kOrigin + elapsed_);
    }

    // Never back.
    void advance_to(MonotonicTime when) noexcept {
        if (when > monotonic()) {
            elapsed_ = when.time_since_epoch() - kOrigin;
        }
    }

  private:
    // Not zero, so that no time point compares equal to a default one.
    static constexpr MonotonicTime::duration kOrigin = std::chrono::hours(1);

    UtcTime start_;
    MonotonicTime::duration elapsed_{};
};

class SimEvents {
  public:
    explicit SimEvents(const Clock& clock) noexcept
        : clock_(clock) {}

    void after(std::chrono::nanoseconds delay, UniqueFunction event) {
        at(clock_.monotonic() + delay, std::move(event));
    }

    void at(MonotonicTime when, UniqueFunction event) {
        events_.emplace(std::pair(when, ++sequence_), std::move(event));
    }

    [[nodiscard]] std::optional<MonotonicTime> next() const {
        return events_.empty() ? std::nullopt : std::optional(events_.begin()->first.first);
    }

    // Runs the earliest event that is due by now; false when there is none.
    bool run_one() {
        if (events_.empty() || events_.begin()->first.first > clock_.monotonic()) {
            return false;
        }
        auto node = events_.extract(events_.begin());
        node.mapped()();
        return true;
    }

  private:
    const Clock& clock_;
    std::map<std::pair<MonotonicTime, std::uint64_t>, UniqueFunction> events_;
    std::uint64_t sequence_ = 0;
};

}  // namespace mailflow::sim
