// QueueManager, part three: from reports of attempts to states, retries, reports and retirement
// (journey steps 18 to 22).
#include "transport/base/error.hpp"
#include "transport/deliver/delivery_decision.hpp"
#include "transport/queue/queue_manager.hpp"

#include <algorithm>
#include <array>

namespace mailflow {

namespace {

constexpr std::array kOutcomes = {
    DsnKind::failed, DsnKind::delivered, DsnKind::relayed, DsnKind::expanded};

NextHop hop_of(const std::string& key) {
    const auto parsed = NextHop::parse(key);
    return parsed ? *parsed : NextHop::unreachable();
}

DsnKind outcome_of(const ActiveRecipient& recipient) noexcept {
    if (recipient.state == RecipientState::failed) {
        return DsnKind::failed;
    }
    const auto action = recipient.last ? recipient.last->action : DeliveryAction::delivered;
    switch (action) {
        case DeliveryAction::delivered: return DsnKind::delivered;
        case DeliveryAction::expanded: return DsnKind::expanded;
        default: return DsnKind::relayed;
    }
}

bool concerns(const QueueChange& change, QueueId id) {
    if (const auto* recipient = std::get_if<RecipientChange>(&change)) {
        return recipient->message == id;
    }
    const auto* hold = std::get_if<HoldMessage>(&change);
    return hold != nullptr && hold->message == id;
}

}  // namespace

void QueueManager::on_report(
    const DeliveryJob& job, const Attempt& attempt, DeliveryReport report) {
    auto& queue = hops_.at(attempt.hop);
    const auto ended = parts_.lane.clock().monotonic();
    queue.on_ended(attempt.job, ended);
    count_ended(attempt);
    for (const auto number : job.recipients) {
        running_rows_.erase({job.message->id, number});
    }
    learn(queue, report);
    if (report.hop_failure) {
        report.hop_failure->action = DeliveryAction::delayed;
    }
    const bool is_slow = hear(queue, attempt, report);
    if (report.hop_failure) {
        hop_failed(queue, attempt, *report.hop_failure);
        may_be_dead(queue, report);
    } else {
        hop_answered(queue, is_slow);
    }

    const auto id = job.message->id;
    auto& active = *active_.find(id);
    const auto took = std::chrono::duration_cast<Duration>(ended - attempt.started);
    for (auto& one : report.recipients) {
        if (active.at(one.recipient).work == Work::running) {
            judge(active, std::move(one), queue, report.hop_failure.has_value(), took);
        }
    }
    for (const auto number : job.recipients) {
        if (active.at(number).work != Work::running) {
            continue;
        }
        DeliveryStatus status;
        if (report.hop_failure) {
            status = *report.hop_failure;
        } else {
            status.status = EnhancedStatus{4, 3, 0};
            status.diagnostic = "internal error: the attempt said nothing about this recipient";
        }
        judge(active, {number, std::move(status)}, queue, report.hop_failure.has_value(), took);
    }
    settle(id);

    serve_after(queue);
    const bool is_dry = queue.may_have_more && queue.active() == 0;
    if (is_dry || (queue.has_backlog && queue.is_half_empty())) {
        queue.has_backlog = false;
        queue.may_have_more = false;
        request_refill(std::exchange(ready_waits_for_hop_, false), true);
    }
    commit_changes();
}

void QueueManager::end_work(ActiveMessage& active, std::uint32_t number) {
    active.at(number).work = Work::idle;
    --active.in_work;
}

void QueueManager::judge(
    ActiveMessage& active,
    RecipientReport report,
    const DeliveryQueue& queue,
    bool hop_failed,
    Duration took) {
    const auto number = report.recipient;
    auto& status = report.status;
    end_work(active, number);
    auto& recipient = active.at(number);
    ++recipient.attempts;
    if (status.action == DeliveryAction::failed) {
        fail(active, number, std::move(status), queue.hop(), took);
        return;
    }
    if (status.action != DeliveryAction::delayed) {
        deliver(active, std::move(report), queue.hop(), took);
        return;
    }
    journal(TrackingEventId::defer, active, number, status, queue.hop(), took);
    recipient.last = std::move(status);
    if (active.removal) {
        fail_removed(active, number);
    } else if (active.held) {
        change(active, number);
    } else {
        // With a failed hop the recipient waits for the hop's own time.
        defer(
            active,
            number,
            queue.key(),
            hop_failed ? now() : schedule_.next_recipient_retry(now()));
    }
}

void QueueManager::journal(
    TrackingEventId event,
    const ActiveMessage& active,
    std::uint32_t number,
    const DeliveryStatus& status,
    const NextHop& hop,
    Duration took,
    std::string_view tls) {
    journal_.add({event, *active.message, active.stored(number), hop, status, now(), took, tls});
}

// ---- one recipient

void QueueManager::deliver(
    ActiveMessage& active, RecipientReport report, const NextHop& hop, Duration took) {
    const auto number = report.recipient;
    auto& recipient = active.at(number);
    // Reference 12.1: wherever the mail of a mailbox is put, it has arrived; SEND is for what
    // leaves.
    const auto event = active.stored(number).target == RecipientTarget::mailbox
                           ? TrackingEventId::deliver
                           : TrackingEventId::send;
    journal(event, active, number, report.status, hop, took, report.tls);
    const bool is_owed = owes_success(
        *active.message,
        active.stored(number),
        report.status.action,
        report.passed_on,
        *parts_.organization);
    recipient.state = RecipientState::delivered;
    recipient.reported = !is_owed;
    if (is_owed && !active.owed_since) {
        active.owed_since = now();
    }
    recipient.last = std::move(report.status);
    change(active, number);
}

void QueueManager::fail(
    ActiveMessage& active,
    std::uint32_t number,
    DeliveryStatus status,
    const NextHop& hop,
    Duration took) {
    auto& recipient = active.at(number);
    journal(TrackingEventId::fail, active, number, status, hop, took);
    recipient.state = RecipientState::failed;
    recipient.last = std::move(status);
    const bool is_owed =
        owes_failure(
            *active.message, active.stored(number), recipient.last->status, *parts_.organization) &&
        active.removal.value_or(true);
    recipient.reported = !is_owed;
    if (is_owed && !active.owed_since) {
        active.owed_since = now();
    }
    change(active, number);
}

void QueueManager::fail_removed(ActiveMessage& active, std::uint32_t number) {
    DeliveryStatus status;
    status.action = DeliveryAction::failed;
    status.status = EnhancedStatus{5, 0, 0};
    status.diagnostic = "550 5.0.0 The message was removed from the queue by an administrator";
    fail(active, number, std::move(status), hop_of(active.at(number).next_hop));
}

void QueueManager::expire(ActiveMessage& active, std::uint32_t number) {
    const auto& recipient = active.at(number);
    fail(active, number, expired(recipient.last), hop_of(recipient.next_hop));
}

void QueueManager::defer(
    ActiveMessage& active, std::uint32_t number, const std::string& hop, UtcTime due) {
    auto& recipient = active.at(number);
    recipient.next_hop = hop;
    if (must_return(*active.message, now())) {
        return_late(active, number);
        return;
    }
    if (schedule_.is_expired(active.message->starts(), now())) {
        expire(active, number);
        return;
    }
    recipient.state = RecipientState::deferred;
    recipient.due = due;
    change(active, number);
    const auto queue = hops_.find(hop);
    arm(queue == hops_.end() ? due : std::max(due, queue->second.state().next_retry));
}

// Its hop is in retry, or full: the recipient goes to the hop's queue on disk without an attempt.
void QueueManager::wait_for_hop(
    ActiveMessage& active, std::uint32_t number, const DeliveryQueue& queue) {
    auto& recipient = active.at(number);
    const bool is_there =
        recipient.state == RecipientState::deferred && recipient.next_hop == queue.key();
    if (is_there && recipient.due <= now()) {
        return;
    }
    if (queue.in_retry(now())) {
        recipient.last = queue.last_failure();
        journal(TrackingEventId::defer, active, number, *recipient.last, queue.hop(), {});
        defer(active, number, queue.key(), now());
        return;
    }
    // It has a hop that works and a turn to come: its time is not over before it had it.
    recipient.state = RecipientState::deferred;
    recipient.next_hop = queue.key();
    recipient.due = now();
    change(active, number);
}

// No attempt will change that: it is due when it expires, or earlier when the configuration
// changes.
void QueueManager::wait_for_route(
    ActiveMessage& active, std::uint32_t number, const NextHop& room) {
    auto& recipient = active.at(number);
    const auto due = schedule_.expires_at(active.message->starts());
    const bool is_there =
        recipient.state == RecipientState::deferred && recipient.next_hop == room.key();
    if (is_there && recipient.due == due && due > now()) {
        return;
    }
    recipient.last = waiting_status(room);
    if (!is_there) {
        journal(TrackingEventId::defer, active, number, *recipient.last, room, {});
    }
    defer(active, number, room.key(), due);
}

// ---- a next hop

void QueueManager::hop_failed(
    DeliveryQueue& queue, const Attempt& attempt, const DeliveryStatus& failure) {
    if (!queue.on_failure(attempt.generation)) {
        return;
    }
    const auto& state = queue.state();
    const auto first = state.attempts == 0 ? now() : state.first_failure;
    const auto next =
        schedule_.next_hop_retry(state.attempts + 1, first, now(), parts_.lane.random());
    queue.move(failure, first, next);
    changes_.emplace_back(queue.state());
    arm(next);
    parts_.lane.log().warning(
        "next hop in retry",
        {{"next-hop", queue.key()},
         {"attempts", queue.state().attempts},
         {"reason", failure.diagnostic}});

    wait_in_retry(queue);
}

// What waits for a hop in retry waits on disk.
void QueueManager::wait_in_retry(DeliveryQueue& queue) {
    for (const auto& job : queue.drain()) {
        unqueue(job);
        auto& active = *active_.find(job.message);
        for (const auto number : job.recipients) {
            wait_for_hop(active, number, queue);
        }
        settle(job.message);
    }
}

void QueueManager::hop_answered(DeliveryQueue& queue, bool is_slow) {
    if (queue.on_success(!is_slow)) {
        changes_.emplace_back(queue.state());
        queue.has_backlog = true;
        parts_.lane.log().info("next hop answers again", {{"next-hop", queue.key()}});
    }
}

// ---- one message

void QueueManager::settle(QueueId id) {
    auto* const active = active_.find(id);
    if (active == nullptr || active->is_reporting || active->in_work > 0) {
        return;
    }
    if (!active->report_failed && !store_failed_) {
        if (const auto owed = owed_outcome(*active)) {
            start_report(*active, *owed);
            return;
        }
        if (owes_report(*active, DsnKind::delayed)) {
            start_report(*active, DsnKind::delayed);
            return;
        }
    }
    const bool is_over = std::all_of(
        active->recipients.begin(), active->recipients.end(), [](const auto& recipient) {
            return is_final(recipient.state) && recipient.reported;
        });
    if (is_over) {
        retire(id);
    } else {
        let_go(*active);
    }
}

// What is owed for a final recipient was decided with its outcome.
bool QueueManager::is_named(
    const ActiveMessage& active, std::size_t position, DsnKind kind) const noexcept {
    const auto& message = *active.message;
    const auto& recipient = active.recipients[position];
    if (kind != DsnKind::delayed) {
        return is_final(recipient.state) && !recipient.reported && outcome_of(recipient) == kind;
    }
    // New mail is not late, unless its sender said when it is.
    const bool is_waiting =
        recipient.state == RecipientState::deferred ||
        (recipient.state == RecipientState::ready && is_past_deadline(message, now()));
    return is_waiting && !recipient.delay_notified &&
           owes_delay_notice(
               message, message.recipients[position], schedule_, now(), *parts_.organization);
}

bool QueueManager::owes_report(const ActiveMessage& active, DsnKind kind) const noexcept {
    for (std::size_t i = 0; i < active.recipients.size(); ++i) {
        if (is_named(active, i, kind)) {
            return true;
        }
    }
    return false;
}

std::optional<DsnKind> QueueManager::owed_outcome(const ActiveMessage& active) const noexcept {
    for (const auto kind : kOutcomes) {
        if (owes_report(active, kind)) {
            return kind;
        }
    }
    return std::nullopt;
}

// Nothing of it is in work: the store knows all there is.
void QueueManager::let_go(ActiveMessage& active) {
    const auto id = active.id();
    const bool has_new =
        std::any_of(active.recipients.begin(), active.recipients.end(), [](const auto& recipient) {
            return recipient.state == RecipientState::ready;
        });
    if (has_new && !active.held) {
        come_back_to(id);
        ready_waits_for_hop_ = true;
    }
    active_.remove(id);
    room_was_made();
}

void QueueManager::retire(QueueId id) {
    // What happened to its recipients in this step need not be written any more.
    std::erase_if(changes_, [id](const auto& change) { return concerns(change, id); });
    changes_.emplace_back(RetireMessage{id});
    active_.touch(id);
    if (const auto when = next_time_of(*active_.find(id)->message)) {
        agenda_.cancel(*when, id);
    }
    active_.remove(id);
    room_was_made();
}

// ---- reports

void QueueManager::start_report(ActiveMessage& active, DsnKind kind) {
    DsnOrder order;
    order.kind = kind;
    order.original = active.message;
    order.organization = parts_.organization;
    order.retry_until = schedule_.expires_at(active.message->starts());
    // One report for each who is told: the others' turns come when this one is committed.
    const ReversePath* reader = nullptr;
    for (std::size_t i = 0; i < active.recipients.size(); ++i) {
        if (!is_named(active, i, kind)) {
            continue;
        }
        const auto& report_to = active.message->report_to(active.message->recipients[i]);
        reader = reader == nullptr ? &report_to : reader;
        if (report_to == *reader) {
            order.recipients.push_back(
                {active.message->recipients[i].number,
                 active.recipients[i].last.value_or(DeliveryStatus{})});
        }
    }
    active.is_reporting = true;
    sweep_reports_ += sweeping_ ? 1 : 0;
    run("report", report(std::move(order), sweeping_));
}

Task<void> QueueManager::report(DsnOrder order, bool for_sweep) {
    DsnResult result;
    result.error = Error::unavailable;
    try {
        result = co_await dsn_.report(order);
    } catch (const std::exception& exception) {
        parts_.lane.log().error(
            "report could not be made",
            {{"queue-id", order.original->id}, {"reason", exception.what()}});
    }
    // The next report of the same message, of another kind, belongs to the sweep too.
    sweeping_ = for_sweep;
    on_reported(order, result);
    sweeping_ = false;
    sweep_reports_ -= for_sweep ? 1 : 0;
    if (sweep_reports_ == 0 && reports_waiter_ != nullptr) {
        std::exchange(reports_waiter_, nullptr)->complete(true);
    }
}

void QueueManager::on_reported(const DsnOrder& order, const DsnResult& result) {
    const auto id = order.original->id;
    auto& active = *active_.find(id);
    active.is_reporting = false;
    active_.touch(id);
    if (result.outcome == DsnOutcome::failed) {
        on_store_error(result.error);
        active.report_failed = true;
        if (order.kind == DsnKind::delayed) {
            const auto before = QueueId{id.value - 1};
            delay_restart_ = delay_restart_ ? std::min(*delay_restart_, before) : before;
        }
    }
    for (const auto& [number, status] : order.recipients) {
        if (result.outcome == DsnOutcome::failed) {
            break;
        }
        auto& recipient = active.at(number);
        const bool is_delay = order.kind == DsnKind::delayed;
        (is_delay ? recipient.delay_notified : recipient.reported) = true;
        if (result.outcome == DsnOutcome::undeliverable && !is_delay) {
            change(active, number);
        }
    }
    if (!owed_outcome(active)) {
        active.owed_since.reset();
    }
    settle(id);
    take_report(result);
    commit_changes();
}

void QueueManager::take_report(const DsnResult& result) {
    if (result.report && active_.find(result.report->id) == nullptr &&
        !active_.was_read(result.report->id)) {
        take_new(result.report);
    }
}

// The postmaster's notice of reports over the rate limit.
Task<void> QueueManager::report_withheld(bool at_once) {
    const auto result = co_await dsn_.report_withheld(parts_.organization, at_once);
    if (result.outcome == DsnOutcome::failed) {
        on_store_error(result.error);
    } else if (can_work()) {
        take_report(result);
        commit_changes();
    }
}

}  // namespace mailflow
