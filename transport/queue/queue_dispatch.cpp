// QueueManager, part two: from routed recipients to attempts (journey steps 12 to 17).
#include "transport/net/call_on.hpp"
#include "transport/queue/queue_manager.hpp"

#include <algorithm>
#include <numeric>

namespace mailflow {

namespace {

// What was released a moment ago is new mail.
bool was_tried(const ActiveRecipient& recipient) {
    static const std::string released_later = NextHop::future_release().key();
    return recipient.state == RecipientState::deferred && recipient.next_hop != released_later;
}

std::vector<std::uint32_t> untried(const QueuedMessage& message) {
    std::vector<std::uint32_t> numbers;
    for (const auto& recipient : message.recipients) {
        if (recipient.state == RecipientState::ready) {
            numbers.push_back(recipient.number);
        }
    }
    return numbers;
}

// An agent that throws has broken its promise; its recipients are tried again.
DeliveryReport broken_report(const DeliveryJob& job, const std::string& reason) {
    DeliveryReport report;
    for (const auto number : job.recipients) {
        DeliveryStatus status;
        status.action = DeliveryAction::delayed;
        status.status = EnhancedStatus{4, 3, 0};
        status.diagnostic = "internal error: " + reason;
        report.recipients.push_back({number, std::move(status)});
    }
    return report;
}

}  // namespace

void QueueManager::announce(QueuedMessagePtr message) {
#ifdef MAILFLOW_MUTANTS
    if (parts_.lost_announce) {
        return;
    }
#endif
    if (can_work() && active_.find(message->id) == nullptr && !active_.was_read(message->id)) {
        take_new(std::move(message));
        commit_changes();
    }
}

void QueueManager::take_new(QueuedMessagePtr message) {
    const auto id = message->id;
    note_appointment(*message);
    if (message->envelope.release > now()) {
        arm(message->envelope.release);
    }
    const auto routed = route_message(*message, untried(*message), *parts_.organization);
    const bool to_idle_hop =
        std::any_of(routed.groups.begin(), routed.groups.end(), [this](const auto& group) {
            const auto found = hops_.find(group.hop.key());
            return found == hops_.end() || found->second.active() == 0;
        });
    if (!active_.takes(message->recipients.size(), false, to_idle_hop)) {
        come_back_to(id);
        ready_waits_ = true;
        return;
    }
    auto& active = active_.add(std::move(message), false);
    admit(active, routed, WhenFull::leave);
    settle(id);
}

// True: something of it is in a delivery queue now.
bool QueueManager::admit(ActiveMessage& active, const RoutedMessage& routed, WhenFull when_full) {
    if (put_off(active, routed)) {
        return false;
    }
    for (const auto& [number, status] : routed.failures) {
        fail(active, number, status, NextHop::unreachable());
    }
    bool is_admitted = false;
    for (const auto& group : routed.groups) {
        const bool is_placed = place(active, group, when_full);
        is_admitted = is_admitted || is_placed;
    }
    return is_admitted;
}

bool QueueManager::place(ActiveMessage& active, const RoutedGroup& group, WhenFull when_full) {
    if (group.hop.waits_for_route()) {
        for (const auto number : group.recipients) {
            wait_for_route(active, number, group.hop);
        }
        return false;
    }
    auto& queue = queue_of(group.hop);
    if (queue.active() == 0) {
        spare(queue);
    }
    if (queue.in_retry(now())) {
        for (const auto number : group.recipients) {
            wait_for_hop(active, number, queue);
        }
        return false;
    }
    const auto priority = active.message->envelope.priority;
    if (!queue.takes(group.recipients.size(), priority) || !active_.is_within_bounds()) {
        queue.has_backlog = true;
        if (when_full == WhenFull::park) {
            for (const auto number : group.recipients) {
                wait_for_hop(active, number, queue);
            }
        }
        return false;
    }

    WaitingJob job;
    job.message = active.id();
    job.recipients = group.recipients;
    job.sender = active.message->envelope.reverse_path.text();
    job.priority = priority;
    job.size = active.message->content.size();
    for (const auto number : group.recipients) {
        auto& recipient = active.at(number);
        recipient.work = Work::queued;
        recipient.works_at = queue.key();
        job.tried = job.tried || was_tried(recipient);
    }
    active.in_work += group.recipients.size();
    queue.push(std::move(job));
    pump(queue);
    return true;
}

DeliveryQueue& QueueManager::queue_of(const NextHop& hop) {
    const auto key = hop.key();
    const auto found = hops_.find(key);
    if (found != hops_.end()) {
        return found->second;
    }
    NextHopState state;
    state.key = key;
    auto& made = hops_.try_emplace(key, hop, std::move(state), parts_.limits).first->second;
    made.asks_first = depends_on_hosts(hop, *parts_.organization);
    apply_rules(made, {});
    return made;
}

void QueueManager::unqueue(const WaitingJob& job) {
    auto& active = *active_.find(job.message);
    for (const auto number : job.recipients) {
        active.at(number).work = Work::idle;
    }
    active.in_work -= job.recipients.size();
}

// Jobs that waited under another configuration are routed again.
void QueueManager::requeue(std::vector<WaitingJob> jobs) {
    for (const auto& job : jobs) {
        unqueue(job);
    }
    for (const auto& job : jobs) {
        auto* const active = active_.find(job.message);
        if (active != nullptr) {
            admit(
                *active,
                route_message(*active->message, job.recipients, *parts_.organization),
                WhenFull::park);
            settle(job.message);
        }
    }
}

// ---- attempts

void QueueManager::start_attempt(DeliveryQueue& queue, WaitingJob job) {
    auto& active = *active_.find(job.message);
    for (const auto number : job.recipients) {
        active.at(number).work = Work::running;
        running_rows_.emplace(job.message, number);
    }
    const auto started = parts_.lane.clock().monotonic();
    DeliveryJob delivery{active.message, queue.hop(), job.recipients, parts_.organization};
    std::sort(delivery.recipients.begin(), delivery.recipients.end());
    delivery.max_messages_per_connection = queue.destination().rules().max_messages_per_connection;
    Attempt begun{std::move(job), queue.key(), queue.generation(), choose_lane(), started};
    queue.on_started(begun.job, started);
    count_started(queue, begun);
    run("delivery", attempt(std::move(delivery), std::move(begun)));
}

std::size_t QueueManager::choose_lane() const noexcept {
    const auto least = std::min_element(running_on_.begin(), running_on_.end());
    return static_cast<std::size_t>(least - running_on_.begin());
}

Task<void> QueueManager::attempt(DeliveryJob job, Attempt attempt) {
    DeliveryReport report;
    std::string broken;
    try {
        report = co_await hand_over(attempt.lane, job);
    } catch (const std::exception& exception) {
        broken = exception.what();
    }
    if (!broken.empty()) {
        parts_.lane.log().error(
            "delivery agent threw", {{"queue-id", job.message->id}, {"reason", broken}});
        report = broken_report(job, broken);
    }
    on_report(job, attempt, std::move(report));
}

Task<DeliveryReport> QueueManager::hand_over(std::size_t lane, const DeliveryJob& job) {
    const auto& place = parts_.lanes[lane];
    auto* const agent = job.hop.type == DeliveryType::mailbox ? place.mailbox : place.smtp;
    const auto* const order = &job;
    auto deliver = [agent, order] {
        return agent->deliver(*order);
    };
    auto task = call_on(parts_.lane, *place.lane, std::move(deliver));
    auto report = co_await std::move(task);
    co_return report;
}

}  // namespace mailflow
