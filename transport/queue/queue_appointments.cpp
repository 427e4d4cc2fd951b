// QueueManager, part six: what a message has a time of its own for. Its release (RFC 4865), the
// time to deliver it by (RFC 2852), and the age of what was released later, which the age sweeps
// have passed by when it comes.
#include "transport/base/error.hpp"
#include "transport/deliver/delivery_decision.hpp"
#include "transport/mail/date_time.hpp"
#include "transport/queue/queue_manager.hpp"

#include <algorithm>
#include <set>

namespace mailflow {

namespace {

// A message that changes under each look is looked at again then.
constexpr Duration kLookAgain = std::chrono::minutes(1);

std::vector<std::uint32_t> all_of(const RoutedMessage& routed) {
    std::vector<std::uint32_t> numbers;
    for (const auto& failure : routed.failures) {
        numbers.push_back(failure.first);
    }
    for (const auto& group : routed.groups) {
        numbers.insert(numbers.end(), group.recipients.begin(), group.recipients.end());
    }
    return numbers;
}

}  // namespace

// ---- one message

// True: it is not the time to route these.
bool QueueManager::put_off(ActiveMessage& active, const RoutedMessage& routed) {
    const bool is_early = active.message->envelope.release > now();
    if (!is_early && !must_return(*active.message, now())) {
        return false;
    }
    for (const auto number : all_of(routed)) {
        if (is_early) {
            wait_release(active, number);
        } else {
            return_late(active, number);
        }
    }
    return true;
}

void QueueManager::wait_release(ActiveMessage& active, std::uint32_t number) {
    auto& recipient = active.at(number);
    const auto hop = NextHop::future_release();
    const auto release = active.message->envelope.release;
    const bool is_there =
        recipient.state == RecipientState::deferred && recipient.next_hop == hop.key();
    if (!is_there) {
        DeliveryStatus status;
        status.diagnostic = "to be released at " + to_iso8601(release);
        journal(TrackingEventId::defer, active, number, status, hop, {});
    } else if (recipient.due == release) {
        return;
    }
    recipient.state = RecipientState::deferred;
    recipient.next_hop = hop.key();
    recipient.due = release;
    change(active, number);
    arm(release);
}

// RFC 2852 §4, mode R.
void QueueManager::return_late(ActiveMessage& active, std::uint32_t number) {
    const auto& recipient = active.at(number);
    const auto hop = NextHop::parse(recipient.next_hop);
    fail(active, number, late(recipient.last), hop ? *hop : NextHop::unreachable());
}

// Gives up what is expired or late; what is in an attempt is judged when that ends.
void QueueManager::come_of_age(ActiveMessage& active) {
    const bool is_expired = schedule_.is_expired(active.message->starts(), now());
    const bool is_late = must_return(*active.message, now());
    if (active.held || (!is_expired && !is_late)) {
        return;
    }
    // What was tried and waits in a line for its turn, behind a slow rate or a pause, is over too.
    if (is_late || (is_expired && active.tried)) {
        take_out_of_queues(active);
    }
    for (std::size_t i = 0; i < active.recipients.size(); ++i) {
        const auto& recipient = active.recipients[i];
        const auto number = active.message->recipients[i].number;
        if (is_final(recipient.state) || recipient.work != Work::idle) {
            continue;
        }
        if (is_late) {
            return_late(active, number);
        } else if (recipient.state == RecipientState::deferred) {
            expire(active, number);
        }
    }
}

// What waits in memory waits no more; attempts go on.
void QueueManager::take_out_of_queues(ActiveMessage& active) {
    std::set<std::string> keys;
    for (const auto& recipient : active.recipients) {
        if (recipient.work == Work::queued) {
            keys.insert(recipient.works_at);
        }
    }
    for (const auto& key : keys) {
        for (const auto& job : hops_.at(key).take_out(active.id())) {
            unqueue(job);
        }
    }
}

// ---- appointments

// All of its times, the past ones too; none for nearly every message.
std::vector<UtcTime> QueueManager::times_of(const QueuedMessage& message) const {
    std::vector<UtcTime> times;
    if (const auto deadline = message.deadline()) {
        times.push_back(*deadline);
    }
    if (message.starts() > message.accepted) {
        times.push_back(schedule_.late_at(message.starts()));
        times.push_back(schedule_.expires_at(message.starts()));
    }
    return times;
}

std::optional<UtcTime> QueueManager::next_time_of(const QueuedMessage& message) const {
    auto times = times_of(message);
    std::erase_if(times, [this](UtcTime time) { return time <= now(); });
    return times.empty() ? std::nullopt
                         : std::optional(*std::min_element(times.begin(), times.end()));
}

void QueueManager::note_appointment(const QueuedMessage& message) {
    if (const auto when = next_time_of(message)) {
        agenda_.note(*when, message.id);
        arm(*when);
    }
}

Task<void> QueueManager::appointments() {
    co_await keep_appointments();
    end_maintenance();
}

Task<void> QueueManager::keep_appointments() {
    if (agenda_.take_scan(now())) {
        co_await scan_appointments();
    }
    std::size_t in_memory = 0;
    while (can_work()) {
        const auto id = agenda_.take_due(now());
        if (!id) {
            break;
        }
        co_await attend(*id);
        if (++in_memory >= active_.sweep_page()) {
            in_memory = 0;
            co_await reports_done();
        }
    }
    co_await reports_done();
}

// The whole queue, for times that are known from the store only.
Task<void> QueueManager::scan_appointments() {
    QueueId after;
    const auto end = QueueId::earliest_at(now() + parts_.limits.maintenance_interval);
    while (can_work()) {
        auto page = co_await parts_.store.messages_after(after, end, active_.sweep_page());
        if (!page) {
            on_store_error(page.error());
            agenda_.ask_scan(now() + kLookAgain);
            co_return;
        }
        if (page->empty()) {
            co_return;
        }
        active_.note_page(*page);
        after = page->back().id;
        for (const auto& message : *page) {
            const auto times = times_of(message);
            if (!times.empty()) {
                agenda_.note(*std::min_element(times.begin(), times.end()), message.id);
            }
        }
    }
}

Task<void> QueueManager::attend(QueueId id) {
    auto loaded = co_await load(id);
    if (!loaded) {
        if (loaded.error() != Error::not_found) {
            agenda_.note(now() + kLookAgain, id);
        }
        co_return;
    }
    auto& active = *active_.find(id);
    sweeping_ = true;
    note_appointment(*active.message);
    come_of_age(active);
    // RFC 2852 §4, mode N: the notice does not wait for an attempt that takes long.
    if (active.in_work > 0 && !active.is_reporting && !store_failed_ &&
        owes_report(active, DsnKind::delayed)) {
        start_report(active, DsnKind::delayed);
    }
    settle(id);
    sweeping_ = false;
    commit_changes();
}

}  // namespace mailflow
