// QueueManager, part five: what is done at the start and once a minute, so that nothing depends on
// an event that was lost: a scan for new messages, overdue reports, expiry and delay notices by
// age, and what waits for a route when the configuration changed. All in bounded pages.
#include "transport/queue/queue_manager.hpp"

#include <algorithm>

namespace mailflow {

namespace {

// Rooms are few: one, and one for each connector and its nodes.
constexpr std::size_t kRoomsPerPage = 100;

bool stays_in(const std::string& room, const RoutedMessage& routed) {
    return routed.failures.empty() &&
           std::all_of(routed.groups.begin(), routed.groups.end(), [&room](const auto& group) {
               return group.hop.key() == room;
           });
}

}  // namespace

Task<void> QueueManager::maintain(bool is_start) {
#ifdef MAILFLOW_MUTANTS
    if (parts_.lost_announce) {
        maintaining_ = false;
        co_return;
    }
#endif
    if (is_start) {
        co_await remember_hops();
        reroute_unreachable();
    }
    come_back_to(QueueId{});
    scan_all_ = true;
    request_refill(true, true);
    co_await report_pending();
    co_await sweep_age();
    co_await keep_appointments();
    co_await report_withheld(false);
    report_overdue();
    co_await watch_stuck();
    forget_hops();
    end_maintenance();
}

void QueueManager::end_maintenance() {
    maintaining_ = false;
    if (const auto next = agenda_.earliest()) {
        arm(*next);
    }
}

// Hops that were failing are known from the start, so that new mail does not knock at dead hosts.
// Those overdue are spread, so that a restart does not try all of them in one second.
Task<void> QueueManager::remember_hops() {
    std::string after;
    while (can_work()) {
        auto page = co_await parts_.store.next_hops(after, parts_.limits.page);
        if (!page) {
            on_store_error(page.error());
            co_return;
        }
        if (page->empty()) {
            co_return;
        }
        after = page->back().key;
        for (const auto& state : *page) {
            auto* const queue = state.attempts > 0 ? adopt(state) : nullptr;
            if (queue != nullptr && !queue->in_retry(now())) {
                queue->set_next_retry(schedule_.spread_after_restart(
                    state.attempts, state.first_failure, now(), parts_.lane.random()));
                changes_.emplace_back(queue->state());
            }
        }
        commit_changes();
    }
}

// ---- reports that are owed

// State "finished, DSN pending" of messages that are not in memory: a crash or a failed commit left
// them.
Task<void> QueueManager::report_pending() {
    QueueId after;
    while (can_work()) {
        const auto watch = active_.watch_read();
        auto page = co_await parts_.store.unreported_after(after, active_.sweep_page());
        if (!page) {
            on_store_error(page.error());
            co_return;
        }
        if (page->empty() || !can_work()) {
            co_return;
        }
        active_.note_page(*page);
        after = page->back().id;
        sweeping_ = true;
        for (auto& message : *page) {
            const auto id = message.id;
            if (active_.find(id) == nullptr && !watch->was_touched(id)) {
                active_.remember_read(id);
                active_.add(std::make_shared<const QueuedMessage>(std::move(message)), true);
                settle(id);
            }
        }
        sweeping_ = false;
        commit_changes();
        page->clear();
        co_await reports_done();
    }
}

// Waits for the reports a sweep started, so that its messages leave memory before the next page
// comes.
Task<void> QueueManager::reports_done() {
    if (sweep_reports_ > 0) {
        OneShot<bool> done;
        reports_waiter_ = &done;
        co_await done.wait();
    }
}

// Messages whose other recipients take long: the outcomes of these wait no more.
void QueueManager::report_overdue() {
    for (auto& [id, active] : active_.messages()) {
        active.report_failed = false;
        const bool is_overdue =
            active.owed_since && now() >= *active.owed_since + parts_.limits.report_after;
        if (!can_work() || !is_overdue || active.is_reporting) {
            continue;
        }
        if (const auto owed = owed_outcome(active)) {
            start_report(active, *owed);
        }
    }
}

// ---- age

// By ids in order of time, so that a dead hop with a million messages still reports and expires
// them. What is in an attempt is judged by age when it ends.
Task<void> QueueManager::sweep_age() {
    const auto& settings = parts_.organization->transport();
    if (delay_restart_) {
        delay_cursor_ = std::min(delay_cursor_, *delay_restart_);
        delay_restart_.reset();
    }
    expiry_cursor_ =
        co_await sweep_older(expiry_cursor_, now() - settings.message_expiration_timeout);
    delay_cursor_ =
        co_await sweep_older(delay_cursor_, now() - settings.delay_notification_timeout);
}

// How far it came: behind it nothing is left to do.
Task<QueueId> QueueManager::sweep_older(QueueId after, UtcTime accepted_before) {
    const auto end = QueueId::earliest_at(accepted_before + Duration(1));
    std::optional<QueueId> too_young;
    while (can_work()) {
        const auto watch = active_.watch_read();
        auto page = co_await parts_.store.messages_after(after, end, active_.sweep_page());
        if (!page) {
            on_store_error(page.error());
            break;
        }
        if (page->empty() || !can_work()) {
            break;
        }
        active_.note_page(*page);
        after = page->back().id;
        sweeping_ = true;
        for (auto& message : *page) {
            const auto id = message.id;
            // An id is made when the transaction begins, the clock of the message starts when it
            // ends.
            const bool is_done =
                message.accepted <= accepted_before && sweep_message(message, *watch);
            if (!is_done && !too_young) {
                too_young = QueueId{id.value - 1};
            }
        }
        sweeping_ = false;
        commit_changes();
        page->clear();
        co_await reports_done();
    }
    co_return too_young.value_or(after);
}

// False: it changed while it was read; look again.
bool QueueManager::sweep_message(QueuedMessage& message, const ReadWatch& watch) {
    const auto id = message.id;
    auto* active = active_.find(id);
    if (active == nullptr) {
        if (watch.was_touched(id)) {
            return false;
        }
        if (message.held) {
            return true;
        }
        const bool is_over =
            std::all_of(message.recipients.begin(), message.recipients.end(), [](const auto& one) {
                return is_final(one.state);
            });
        const bool waits =
            std::any_of(message.recipients.begin(), message.recipients.end(), [](const auto& one) {
                return one.state == RecipientState::deferred;
            });
        if (!is_over && !waits) {
            return true;  // new: it is tried first
        }
        active_.remember_read(id);
        active = &active_.add(std::make_shared<const QueuedMessage>(std::move(message)), true);
    }
    // What was released later is younger than it looks, and has an appointment for its age.
    come_of_age(*active);
    settle(id);
    return true;
}

// ---- hops

// Idle ones after a while; ones in retry when nothing is known to wait for them any more, or when
// there are too many.
void QueueManager::forget_hops() {
    const auto at = parts_.lane.clock().monotonic();
    const auto is_idle = [&](const DeliveryQueue& queue) {
        return queue.active() == 0 && queue.running() == 0 &&
               at - queue.last_used() >= parts_.limits.hop_idle;
    };
    std::erase_if(hops_, [&](const auto& entry) {
        const auto& state = entry.second.state();
        const bool is_stale =
            state.next_retry + parts_.organization->transport().long_retry_interval < now();
        return is_idle(entry.second) && (state.attempts == 0 || is_stale);
    });
    while (hops_.size() > parts_.limits.hops) {
        auto farthest = hops_.end();
        for (auto entry = hops_.begin(); entry != hops_.end(); ++entry) {
            const bool is_farther =
                farthest == hops_.end() ||
                entry->second.state().next_retry > farthest->second.state().next_retry;
            if (entry->second.active() == 0 && is_farther) {
                farthest = entry;
            }
        }
        if (farthest == hops_.end()) {
            break;
        }
        hops_.erase(farthest);
    }
    forget_destinations();
}

// ---- what waits for a route

void QueueManager::reroute_unreachable() {
    reroute_again_ = true;
    if (can_work() && !rerouting_) {
        rerouting_ = true;
        run("queue reroute", reroute());
    }
}

// Room by room; begins anew when the configuration changes meanwhile.
Task<void> QueueManager::reroute() {
    while (can_work() && std::exchange(reroute_again_, false)) {
        const auto rooms = co_await rooms_without_route();
        for (const auto& room : rooms) {
            co_await reroute_room(room);
        }
    }
    rerouting_ = false;
}

Task<std::vector<std::string>> QueueManager::rooms_without_route() {
    std::vector<std::string> rooms = {NextHop::unreachable().key()};
    // Keys come in order, so those of one type are together.
    const auto first = std::string(to_text(DeliveryType::other_node)) + '|';
    auto after = first;
    while (after.starts_with(first) && can_work()) {
        const auto page = co_await parts_.store.next_hops(after, kRoomsPerPage);
        if (!page) {
            on_store_error(page.error());
            break;
        }
        if (page->empty()) {
            break;
        }
        for (const auto& state : *page) {
            if (state.key.starts_with(first)) rooms.push_back(state.key);
        }
        after = page->back().key;
    }
    co_return rooms;
}

// Reads it through; only what has another route now is touched.
Task<void> QueueManager::reroute_room(std::string room) {
    QueueId after;
    while (can_work() && !reroute_again_) {
        const auto watch = active_.watch_read();
        auto page = co_await parts_.store.messages_of_hop(room, after, active_.sweep_page());
        if (!page) {
            on_store_error(page.error());
            break;
        }
        if (page->empty()) {
            break;
        }
        active_.note_page(*page);
        for (auto& message : *page) {
            after = message.id;
            reroute_message(message, room, *watch);
        }
        commit_changes();
    }
}

void QueueManager::reroute_message(
    QueuedMessage& message, const std::string& room, const ReadWatch& watch) {
    const auto id = message.id;
    auto* active = active_.find(id);
    if (active == nullptr && (message.held || watch.was_touched(id))) {
        // Touched: routed a moment ago by the configuration of now.
        return;
    }
    std::vector<std::uint32_t> numbers;
    for (const auto& stored : message.recipients) {
        const auto* const recipient = active == nullptr ? nullptr : &active->at(stored.number);
        const auto& state = recipient == nullptr ? stored.state : recipient->state;
        const auto& hop = recipient == nullptr ? stored.next_hop : recipient->next_hop;
        const bool is_idle = recipient == nullptr || recipient->work == Work::idle;
        if (state == RecipientState::deferred && hop == room && is_idle) {
            numbers.push_back(stored.number);
        }
    }
    const auto routed = route_message(message, numbers, *parts_.organization);
    if (numbers.empty() || stays_in(room, routed)) {
        return;
    }
    if (active == nullptr) {
        active_.remember_read(id);
        active = &active_.add(std::make_shared<const QueuedMessage>(std::move(message)), true);
    }
    admit(*active, routed, WhenFull::park);
    settle(id);
}

}  // namespace mailflow
