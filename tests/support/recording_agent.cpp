#include "tests/support/recording_agent.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

DeliveryReport report_all(const DeliveryJob& job, const DeliveryStatus& status) {
    DeliveryReport report;
    for (const auto number : job.recipients) {
        report.recipients.push_back({number, status});
    }
    return report;
}

DeliveryStatus said_by_remote(DeliveryAction action, EnhancedStatus code, std::string_view words) {
    DeliveryStatus status;
    status.action = action;
    status.status = code;
    status.diagnostic = words;
    status.remote_mta = "mx1.example.org";
    status.remote_address = "[192.0.2.1]:25";
    status.by_remote = true;
    return status;
}

}  // namespace

DeliveryReport report_delivered(const DeliveryJob& job) {
    return report_all(job, said_by_remote(DeliveryAction::relayed, {2, 0, 0}, "250 2.0.0 OK"));
}

DeliveryReport report_deferred(const DeliveryJob& job, std::string_view words) {
    return report_all(job, said_by_remote(DeliveryAction::delayed, {4, 2, 0}, words));
}

DeliveryReport report_failed(const DeliveryJob& job, std::string_view words) {
    return report_all(job, said_by_remote(DeliveryAction::failed, {5, 1, 1}, words));
}

DeliveryReport report_hop_failure(std::string_view words) {
    DeliveryReport report;
    DeliveryStatus status;
    status.action = DeliveryAction::delayed;
    status.status = {4, 4, 1};
    status.diagnostic = words;
    report.hop_failure = status;
    return report;
}

Task<DeliveryReport> RecordingAgent::deliver(DeliveryJob job) {
    jobs_.push_back(job);
    ++running_;
    most_running_ = std::max(most_running_, running_);
    if (held_) {
        OneShot<bool> released;
        waiting_.push_back(&released);
        co_await released.wait();
    }
    --running_;
    co_return script_(job);
}

void RecordingAgent::hold(bool held) {
    held_ = held;
    while (!held_ && !waiting_.empty()) {
        release_one();
    }
}

void RecordingAgent::release_one() {
    auto* const first = waiting_.front();
    waiting_.pop_front();
    first->complete(true);
}

std::size_t RecordingAgent::attempts(QueueId id, std::uint32_t number) const {
    return static_cast<std::size_t>(std::count_if(jobs_.begin(), jobs_.end(), [&](const auto& job) {
        return job.message->id == id &&
               std::find(job.recipients.begin(), job.recipients.end(), number) !=
                   job.recipients.end();
    }));
}

}  // namespace mailflow
