#include "tests/simulation/sim_loop.hpp"

#include <stdexcept>

namespace mailflow::sim {

void SimLoop::settle() {
    const auto before = steps_;
    for (;;) {
        if (steps_ - before > kMaxStepsAtOnce) {
            throw std::runtime_error("the flow does not come to rest: time stands still");
        }
        if (steps_ > kMaxSteps) {
            throw std::runtime_error("the simulation does not end: too many steps");
        }
        context_.restart();
        if (context_.poll_one() > 0 || events_.run_one() || run_timers()) {
            ++steps_;
            continue;
        }
        return;
    }
}

bool SimLoop::run_timers() {
    for (auto* lane : lanes_) {
        const auto when = lane->next_deadline();
        if (when && *when <= now()) {
            lane->run_timers(now());
            return true;
        }
    }
    return false;
}

std::optional<MonotonicTime> SimLoop::next() const {
    auto earliest = events_.next();
    for (const auto* lane : lanes_) {
        const auto when = lane->next_deadline();
        if (when && (!earliest || *when < *earliest)) {
            earliest = when;
        }
    }
    return earliest;
}

bool SimLoop::advance(MonotonicTime limit) {
    const auto when = next();
    const bool is_something = when && *when <= limit;
    clock_.advance_to(is_something ? *when : limit);
    return is_something;
}

}  // namespace mailflow::sim
