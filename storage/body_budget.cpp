#include "storage/body_budget.hpp"

#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <deque>

namespace mailflow {

struct BodyBudget::Waiter {
    Executor home;
    std::uint64_t octets;
    OneShot<bool> granted;
};

struct BodyBudget::State {
    State(std::uint64_t most, TaskRunner& on)
        : limit(most)
        , runner(on) {}

    bool try_take(std::uint64_t octets) noexcept {
        auto taken = used.load();
        for (;;) {
            if (taken != 0 && taken + octets > limit) {
                return false;
            }
            if (used.compare_exchange_weak(taken, taken + octets)) {
                return true;
            }
        }
    }

    // On the runner.
    void serve() {
        while (!queue.empty() && try_take(queue.front()->octets)) {
            auto* waiter = queue.front();
            queue.pop_front();
            --waiting;
            asio::post(waiter->home, [waiter] { waiter->granted.complete(true); });
        }
    }

    const std::uint64_t limit;
    TaskRunner& runner;
    std::atomic<std::uint64_t> used{0};
    // Raised before the last try and looked at after giving back, so that one of the two sees the
    // other.
    std::atomic<std::uint64_t> waiting{0};
    std::deque<Waiter*> queue;  // the runner's
};

BodyBudget::BodyBudget(std::uint64_t limit, TaskRunner& runner)
    : state_(std::make_shared<State>(limit, runner)) {}

BodyBudget::~BodyBudget() = default;

Task<BodyBudget::Share> BodyBudget::take(std::uint64_t octets) {
    const auto state = state_;
    const bool at_once = state->waiting == 0 && state->try_take(octets);
    if (!at_once) {
        const auto home = co_await asio::this_coro::executor;
        Waiter waiter{home, octets, {}};
        ++state->waiting;
        state->runner.post([state, &waiter] {
            state->queue.push_back(&waiter);
            state->serve();
        });
        co_await waiter.granted.wait();
    }
    co_return Share(state, octets);
}

std::uint64_t BodyBudget::used() const noexcept {
    return state_->used;
}

BodyBudget::Share::Share(std::shared_ptr<State> state, std::uint64_t octets) noexcept
    : state_(std::move(state))
    , octets_(octets) {}

BodyBudget::Share::Share(Share&& other) noexcept
    : state_(std::move(other.state_))
    , octets_(std::exchange(other.octets_, 0)) {}

BodyBudget::Share& BodyBudget::Share::operator=(Share&& other) noexcept {
    if (this != &other) {
        shrink_to(0);
        state_ = std::move(other.state_);
        octets_ = std::exchange(other.octets_, 0);
    }
    return *this;
}

bool BodyBudget::Share::try_grow_to(std::uint64_t octets) noexcept {
    if (octets <= octets_) {
        return true;
    }
    const bool taken = state_->waiting == 0 && state_->try_take(octets - octets_);
    octets_ = taken ? octets : octets_;
    return taken;
}

void BodyBudget::Share::shrink_to(std::uint64_t octets) noexcept {
    if (octets >= octets_) {
        return;
    }
    state_->used -= octets_ - octets;
    octets_ = octets;
    if (state_->waiting > 0) {
        state_->runner.post([state = state_] { state->serve(); });
    }
}

}  // namespace mailflow
