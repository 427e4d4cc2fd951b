#include "transport/queue/delivery_queue.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::uint32_t kUntriedPerTried = 4;
constexpr std::uint32_t kUrgentPerNormal = 4;
constexpr std::uint32_t kOthersPerBulk = 8;
// A huge message of a sender lets small ones pass, of the next few and not for ever.
constexpr std::uint64_t kHuge = 1024 * 1024;
constexpr std::size_t kLookBehindHuge = 16;
constexpr std::uint32_t kSmallPerHuge = 8;

}  // namespace

DeliveryQueue::Lines::Line& DeliveryQueue::Lines::line_of(const std::string& sender) {
    auto found = by_sender_.find(sender);
    if (found == by_sender_.end()) {
        turn_.push_back(Line{sender, {}});
        found = by_sender_.emplace(sender, std::prev(turn_.end())).first;
    }
    return *found->second;
}

void DeliveryQueue::Lines::push(WaitingJob job) {
    auto& line = line_of(job.sender);
    line.jobs.push_back(std::move(job));
}

void DeliveryQueue::Lines::push_front(WaitingJob job) {
    auto& line = line_of(job.sender);
    line.jobs.push_front(std::move(job));
}

WaitingJob DeliveryQueue::Lines::Line::take() {
    auto chosen = jobs.begin();
    if (chosen->size > kHuge && passed_over < kSmallPerHuge) {
        const auto reach = std::min(jobs.size(), kLookBehindHuge);
        const auto end = jobs.begin() + static_cast<std::ptrdiff_t>(reach);
        const auto small =
            std::find_if(chosen, end, [](const auto& job) { return job.size <= kHuge; });
        chosen = small == end ? chosen : small;
    }
    passed_over = chosen == jobs.begin() ? 0 : passed_over + 1;
    auto job = std::move(*chosen);
    jobs.erase(chosen);
    return job;
}

std::optional<WaitingJob> DeliveryQueue::Lines::pop() {
    if (turn_.empty()) {
        return std::nullopt;
    }
    const auto line = turn_.begin();
    auto job = line->take();
    if (line->jobs.empty()) {
        by_sender_.erase(line->sender);
        turn_.erase(line);
    } else {
        turn_.splice(turn_.end(), turn_, line);
    }
    return job;
}

void DeliveryQueue::Lines::note(std::set<QueueId>& messages) const {
    for (const auto& line : turn_) {
        for (const auto& job : line.jobs) {
            messages.insert(job.message);
        }
    }
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

DeliveryQueue::Lines& DeliveryQueue::Classes::lines_of(const WaitingJob& job) noexcept {
    return job.priority > 0 ? urgent_ : job.priority < 0 ? bulk_ : normal_;
}

void DeliveryQueue::Classes::push(WaitingJob job) {
    auto& lines = lines_of(job);
    lines.push(std::move(job));
}

void DeliveryQueue::Classes::push_front(WaitingJob job) {
    auto& lines = lines_of(job);
    lines.push_front(std::move(job));
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

void DeliveryQueue::Classes::note(std::set<QueueId>& messages) const {
    for (const auto* const lines : {&urgent_, &normal_, &bulk_}) {
        lines->note(messages);
    }
}

DeliveryQueue::DeliveryQueue(NextHop hop, NextHopState state, const QueueLimits& limits)
    : hop_(std::move(hop))
    , state_(std::move(state))
    , messages_per_connection_(std::max(1U, limits.messages_per_connection))
    , own_({}, {}, limits.first_window, limits.widest_window) {}

void DeliveryQueue::join(Destination* shared, std::string key) {
    auto& before = destination();
    shared_ = shared;
    shared_key_ = std::move(key);
    auto& after = destination();
    before.give_running(running_);
    after.take_running(running_);
}

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

void DeliveryQueue::push_front(WaitingJob job) {
    waiting_ += job.recipients.size();
    if (!job.tried) {
        untried_ += job.recipients.size();
    }
    (job.tried ? tried_jobs_ : untried_jobs_).push_front(std::move(job));
}

std::set<QueueId> DeliveryQueue::waiting_messages() const {
    std::set<QueueId> messages;
    untried_jobs_.note(messages);
    tried_jobs_.note(messages);
    return messages;
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
    return is_failing() || asks_first ? 1 : destination().window();
}

bool DeliveryQueue::can_start(UtcTime now) const noexcept {
    return has_waiting() && !in_retry(now) && running_ < window();
}

void DeliveryQueue::on_started(const WaitingJob& job, MonotonicTime now) {
    destination().on_started(now);
    ++running_;
    running_recipients_ += job.recipients.size();
    if (!job.tried) {
        untried_ += job.recipients.size();
    }
    last_used_ = now;
}

void DeliveryQueue::on_ended(const WaitingJob& job, MonotonicTime now) {
    destination().on_ended();
    --running_;
    running_recipients_ -= job.recipients.size();
    if (!job.tried) {
        untried_ -= job.recipients.size();
    }
    last_used_ = now;
}

bool DeliveryQueue::on_success(bool opens) {
    if (opens) {
        destination().on_success();
    }
    spared = 0;
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
    destination().on_failure();
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
