#include "storage/commit_timer.hpp"

#include <utility>

namespace mailflow {

void CommitTimer::after(Duration delay, UniqueFunction job) {
    lane_.post([this, delay, job = std::move(job)]() mutable {
        ++live_;
        lane_.spawn("store timer", run(lane_.clock().monotonic() + delay, std::move(job)));
    });
}

Task<> CommitTimer::run(MonotonicTime when, UniqueFunction job) {
    co_await lane_.sleep_until(when);
    runner_.post(std::move(job));
    --live_;
    if (live_ == 0 && drained_ != nullptr) {
        drained_->complete(true);
    }
}

Task<> CommitTimer::drain() {
    if (live_ == 0) {
        co_return;
    }
    OneShot<bool> drained;
    drained_ = &drained;
    co_await drained.wait();
    drained_ = nullptr;
}

}  // namespace mailflow
