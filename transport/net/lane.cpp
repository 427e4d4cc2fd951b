#include "transport/net/lane.hpp"

#include "transport/base/error.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>

namespace mailflow {

namespace {

// What one read of a connection can take at most.
constexpr std::size_t kScratchSize = 64 * 1024;

}  // namespace

struct Lane::Timer {
    explicit Timer(asio::io_context& context)
        : timer(context) {}

    asio::basic_waitable_timer<
        std::chrono::steady_clock,
        asio::wait_traits<std::chrono::steady_clock>,
        Executor>
        timer;
    std::optional<MonotonicTime> armed;
};

Lane::Lane(Parts parts)
    : parts_(parts)
    , tasks_(parts.context.get_executor(), parts.log)
    , wheel_(parts.clock)
    , scratch_(kScratchSize)
    , timer_(std::make_shared<Timer>(parts.context)) {
    wheel_.on_earlier([this] { arm(); });
}

Lane::~Lane() {
    timer_->timer.cancel();
}

void Lane::post(UniqueFunction job) {
    asio::post(parts_.context, [job = std::move(job)]() mutable { job(); });
}

Task<ErrorCode> Lane::sleep_until(MonotonicTime when) {
    if (stopping_) {
        co_return Error::cancelled;
    }
    OneShot<ErrorCode> awake;
    sleepers_.emplace(when, &awake);
    arm();
    const auto result = co_await awake.wait();
    co_return result;
}

void Lane::stop() {
    stopping_ = true;
    // A timer that stays armed would keep the io_context running until it fires.
    timer_->armed.reset();
    timer_->timer.cancel();
    auto sleepers = std::move(sleepers_);
    sleepers_.clear();
    for (auto& [when, sleeper] : sleepers) {
        sleeper->complete(Error::cancelled);
    }
    wheel_.stop();
}

std::optional<MonotonicTime> Lane::next_deadline() const noexcept {
    auto next = wheel_.next();
    if (!sleepers_.empty()) {
        const auto first = sleepers_.begin()->first;
        next = next ? std::min(*next, first) : first;
    }
    return next;
}

void Lane::run_timers(MonotonicTime now) {
    while (!sleepers_.empty() && sleepers_.begin()->first <= now) {
        auto* const sleeper = sleepers_.begin()->second;
        sleepers_.erase(sleepers_.begin());
        sleeper->complete(ErrorCode());
    }
    wheel_.tick(now);
}

void Lane::arm() {
    if (!parts_.arm_timers || stopping_) {
        return;
    }
    const auto next = next_deadline();
    if (!next || (timer_->armed && *timer_->armed <= *next)) {
        return;
    }
    timer_->armed = next;
    timer_->timer.expires_at(*next);  // cancels the later wait
    timer_->timer.async_wait(
        [this, weak = std::weak_ptr<Timer>(timer_), when = *next](const ErrorCode& error) {
            const auto timer = weak.lock();
            if (error || !timer || timer->armed != when) {
                return;
            }
            timer->armed.reset();
            run_timers(parts_.clock.monotonic());
            arm();
        });
}

}  // namespace mailflow
