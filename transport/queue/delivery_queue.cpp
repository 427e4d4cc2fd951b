#include "transport/queue/delivery_queue.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::uint32_t kUntriedPerTried = 4;
constexpr std::uint32_t kUrgentPerNormal = 4;
constexpr std::uint32_t kOthersPerBulk = 8;

}  // namespace

void DeliveryQueue::Lines::push(WaitingJob job) {
    auto found = by_sender_.find(job.sender);
    if (found == by_sender_.end()) {
        turn_.push_back(Line{job.sender, {}});
        found = by_sender_.emplace(job.sender, std::prev(turn_.end())).first;
    }
    found->second->jobs.push_back(std::move(job));
}

std::optional<WaitingJob> DeliveryQueue::Lines::pop() {
    if (turn_.empty()) {
        return std::nullopt;
    }
    const auto line = turn_.begin();
    auto job = std::move(line->jobs.front());
    line->jobs.pop_front();
    if (line->jobs.empty()) {
        by_sender_.erase(line->sender);
        turn_.erase(line);
    } else {
        turn_.splice(turn_.end(), turn_, line);
    }
    return job;
}

void DeliveryQueue::Lines::drain_into(std::vector<WaitingJob>& jobs, std::optional<QueueId> only) {
    for (auto line = turn_.begin(); line != turn_.end();) {
        std::deque<WaitingJob> kept;
        for (auto& job : line->jobs) {
            auto& to = !only || job.message == *only ? jobs.emplace_back() : kept.emplace_back();
            to = std::move(job);
        }
        line->jobs = std::move(kept);
        if (line->jobs.empty()) {
            by_sender_.erase(line->sender);
            line = turn_.erase(line);
        } else {
            ++line;
        }
    }
}

void DeliveryQueue::Classes::push(WaitingJob job) {
    auto& lines = job.priority > 0 ? urgent_ : job.priority < 0 ? bulk_ : normal_;
    lines.push(std::move(job));
}

std::optional<WaitingJob> DeliveryQueue::Classes::pop() {
    return next().pop();
}

DeliveryQueue::Lines& DeliveryQueue::Classes::next() {
    const bool is_bulk_only = urgent_.empty() && normal_.empty();
    if (is_bulk_only || (!bulk_.empty() && bulk_passed_over_ >= kOthersPerBulk)) {
        bulk_passed_over_ = 0;
        return bulk_;
    }
    bulk_passed_over_ += bulk_.empty() ? 0 : 1;
    if (urgent_.empty() || (!normal_.empty() && normal_passed_over_ >= kUrgentPerNormal)) {
        normal_passed_over_ = 0;
        return normal_;
    }
    normal_passed_over_ += normal_.empty() ? 0 : 1;
    return urgent_;
}

void DeliveryQueue::Classes::drain_into(
    std::vector<WaitingJob>& jobs, std::optional<QueueId> only) {
    for (auto* const lines : {&urgent_, &normal_, &bulk_}) {
        lines->drain_into(jobs, only);
    }
}

DeliveryQueue::DeliveryQueue(NextHop hop, NextHopState state, const QueueLimits& limits)
    : hop_(std::move(hop))
    , state_(std::move(state))
    , widest_(std::max(1U, limits.widest_window))
    , messages_per_connection_(std::max(1U, limits.messages_per_connection))
    , window_(std::clamp(limits.first_window, 1U, widest_)) {}

std::size_t DeliveryQueue::room(std::int8_t priority) const noexcept {
    const auto window = bound_of_window();
    const auto bound = 2 * window + (priority > 0 ? (window + 1) / 2 : 0);
    return active() >= bound ? 0 : bound - active();
}

bool DeliveryQueue::is_half_empty() const noexcept {
    return active() <= bound_of_window();
}

// A hop that is failing needs one message to be tried with, not all that waits for it.
std::size_t DeliveryQueue::bound_of_window() const noexcept {
    return is_failing() ? 1 : std::size_t{window()} * messages_per_connection_;
}

bool DeliveryQueue::takes(std::size_t recipients, std::int8_t priority) const noexcept {
    return active() == 0 || recipients <= room(priority);
}

void DeliveryQueue::push(WaitingJob job) {
    waiting_ += job.recipients.size();
    if (!job.tried) {
        untried_ += job.recipients.size();
    }
    (job.tried ? tried_jobs_ : untried_jobs_).push(std::move(job));
}

std::optional<WaitingJob> DeliveryQueue::pop() {
    const bool is_turn_of_tried = untried_in_a_row_ >= kUntriedPerTried && !tried_jobs_.empty();
    auto job = is_turn_of_tried || untried_jobs_.empty() ? tried_jobs_.pop() : untried_jobs_.pop();
    if (job) {
        untried_in_a_row_ = job->tried ? 0 : untried_in_a_row_ + 1;
        waiting_ -= job->recipients.size();
        if (!job->tried) {
            untried_ -= job->recipients.size();
        }
    }
    return job;
}

std::vector<WaitingJob> DeliveryQueue::drain() {
    return take(std::nullopt);
}

std::vector<WaitingJob> DeliveryQueue::take_out(QueueId message) {
    return take(message);
}

std::vector<WaitingJob> DeliveryQueue::take(std::optional<QueueId> only) {
    std::vector<WaitingJob> jobs;
    untried_jobs_.drain_into(jobs, only);
    tried_jobs_.drain_into(jobs, only);
    for (const auto& job : jobs) {
        waiting_ -= job.recipients.size();
        if (!job.tried) {
            untried_ -= job.recipients.size();
        }
    }
    return jobs;
}

std::uint32_t DeliveryQueue::window() const noexcept {
    return is_failing() ? 1 : static_cast<std::uint32_t>(window_);
}

bool DeliveryQueue::can_start(UtcTime now) const noexcept {
    return has_waiting() && !in_retry(now) && running_ < window();
}

void DeliveryQueue::on_started(const WaitingJob& job, MonotonicTime now) {
    ++running_;
    running_recipients_ += job.recipients.size();
    if (!job.tried) {
        untried_ += job.recipients.size();
    }
    last_used_ = now;
}

void DeliveryQueue::on_ended(const WaitingJob& job, MonotonicTime now) {
    --running_;
    running_recipients_ -= job.recipients.size();
    if (!job.tried) {
        untried_ -= job.recipients.size();
    }
    last_used_ = now;
}

bool DeliveryQueue::on_success() {
    window_ = std::min<double>(widest_, window_ + (was_narrowed_ ? 1.0 / window_ : 1.0));
    if (state_.attempts == 0 && state_.next_retry == UtcTime{}) {
        return false;
    }
    state_.attempts = 0;
    state_.first_failure = {};
    state_.next_retry = {};
    state_.last_error.clear();
    failure_.reset();
    return true;
}

bool DeliveryQueue::on_failure(std::uint64_t generation) noexcept {
    window_ = std::max(1.0, window_ / 2);
    was_narrowed_ = true;
    return generation == generation_;
}

void DeliveryQueue::move(DeliveryStatus failure, UtcTime first_failure, UtcTime next_retry) {
    state_.first_failure = first_failure;
    ++state_.attempts;
    state_.next_retry = next_retry;
    state_.last_error = failure.diagnostic;
    failure_ = std::move(failure);
    ++generation_;
}

DeliveryStatus DeliveryQueue::last_failure() const {
    if (failure_) {
        return *failure_;
    }
    // Known from the store only: the words, not who said them.
    DeliveryStatus status;
    status.action = DeliveryAction::delayed;
    status.status = EnhancedStatus{4, 4, 0};
    status.diagnostic = state_.last_error;
    return status;
}

}  // namespace mailflow
