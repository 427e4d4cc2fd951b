// One thread under virtual time: an io_context, the lanes folded onto it, and what is to happen
// later. Runs what is ready; when nothing is, the clock jumps to the next event or deadline.
#pragma once

#include "tests/simulation/sim_time.hpp"
#include "transport/net/lane.hpp"

#include <cstdint>
#include <vector>

namespace mailflow::sim {

class SimLoop {
  public:
    // Handlers, events and timers of a whole run (a day takes some 40,000); more is a loop that
    // does not end.
    static constexpr std::uint64_t kMaxSteps = 3'000'000;
    // The same at one instant.
    static constexpr std::uint64_t kMaxStepsAtOnce = 200'000;

    explicit SimLoop(UtcTime start)
        : clock_(start)
        , events_(clock_) {}

    SimLoop(const SimLoop&) = delete;
    SimLoop& operator=(const SimLoop&) = delete;

    [[nodiscard]] asio::io_context& context() noexcept { return context_; }

    [[nodiscard]] const Clock& clock() const noexcept { return clock_; }

    [[nodiscard]] MonotonicTime now() const noexcept { return clock_.monotonic(); }

    [[nodiscard]] SimEvents& events() noexcept { return events_; }

    // Lanes whose timers count. They are made with `arm_timers = false`, and removed before they
    // go.
    void add(Lane& lane) { lanes_.push_back(&lane); }

    void remove(Lane& lane) { std::erase(lanes_, &lane); }

    // Runs all that is ready now; the clock stands. Throws std::runtime_error over a limit.
    void settle();

    // To the next event or deadline, at most to `limit`; false when there is none until then (and
    // the clock is at `limit`).
    bool advance(MonotonicTime limit);

    [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

  private:
    bool run_timers();
    [[nodiscard]] std::optional<MonotonicTime> next() const;

    asio::io_context context_{1};
    SimClock clock_;
    SimEvents events_;
    std::vector<Lane*> lanes_;
    std::uint64_t steps_ = 0;
};

}  // namespace mailflow::sim
