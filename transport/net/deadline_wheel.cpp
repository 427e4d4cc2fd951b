#include "transport/net/deadline_wheel.hpp"

#include <algorithm>
#include <limits>

namespace mailflow {

namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

std::int64_t second_before(MonotonicTime time) noexcept {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::int64_t second_after(MonotonicTime time) noexcept {
    return std::chrono::ceil<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

DeadlineWheel::DeadlineWheel(const Clock& clock)
    : ticked_(second_before(clock.monotonic()))
    , earliest_(kNever) {}

DeadlineWheel::Bucket& DeadlineWheel::bucket_of(std::int64_t second) noexcept {
    return buckets_[static_cast<std::uint64_t>(second) % kBuckets];
}

void DeadlineWheel::file(Deadline& deadline) {
    // Beyond the wheel's turn it waits in the farthest bucket and is filed anew when that comes up.
    const auto farthest = ticked_ + static_cast<std::int64_t>(kBuckets) - 1;
    deadline.filed_ = std::clamp(second_after(*deadline.when_), ticked_ + 1, farthest);
    bucket_of(deadline.filed_).push_back(deadline);
    earliest_ = std::min(earliest_, deadline.filed_);
}

void DeadlineWheel::set(Deadline& deadline, MonotonicTime when) {
    if (stopped_) {
        deadline.on_expired();
        return;
    }
    deadline.when_ = when;
    if (deadline.is_linked()) {
        if (second_after(when) >= deadline.filed_) {
            return;  // its bucket comes up no later: filed anew then
        }
        deadline.unlink();
    }

    const auto before = earliest_;
    file(deadline);
    if (earliest_ < before && on_earlier_) {
        on_earlier_();
    }
}

void DeadlineWheel::clear(Deadline& deadline) noexcept {
    deadline.when_.reset();
    if (deadline.is_linked()) {
        deadline.unlink();
    }
}

void DeadlineWheel::tick(MonotonicTime now) {
    const auto current = second_before(now);
    if (current <= ticked_) {
        return;
    }

    // A call-back may destroy, move or set any deadline: what is due leaves its bucket first.
    Bucket due;
    const auto last = std::min(current, ticked_ + static_cast<std::int64_t>(kBuckets));
    for (auto second = std::max(ticked_ + 1, std::min(earliest_, last)); second <= last; ++second) {
        due.splice(due.end(), bucket_of(second));
    }
    ticked_ = current;
    earliest_ = kNever;
    for (auto second = current + 1; second < current + static_cast<std::int64_t>(kBuckets);
         ++second) {
        if (!bucket_of(second).empty()) {
            earliest_ = second;
            break;
        }
    }

    while (!due.empty()) {
        auto& deadline = due.front();
        due.pop_front();
        if (second_after(*deadline.when_) > current) {
            file(deadline);
        } else {
            deadline.when_.reset();
            deadline.on_expired();
        }
    }
}

void DeadlineWheel::stop() {
    stopped_ = true;
    earliest_ = kNever;
    Bucket all;
    for (auto& bucket : buckets_) {
        all.splice(all.end(), bucket);
    }
    while (!all.empty()) {
        auto& deadline = all.front();
        all.pop_front();
        deadline.when_.reset();
        deadline.on_expired();
    }
}

std::optional<MonotonicTime> DeadlineWheel::next() const noexcept {
    if (earliest_ == kNever) {
        return std::nullopt;
    }
    return MonotonicTime(std::chrono::seconds(earliest_));
}

}  // namespace mailflow
