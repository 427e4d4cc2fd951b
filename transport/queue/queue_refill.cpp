// QueueManager, part four: from the store into memory. One refill at a time. A read shows the store
// as it was when the read began: what changed meanwhile is told by its ReadWatch, and what is in
// memory knows better anyway.
#include "transport/base/error.hpp"
#include "transport/queue/queue_manager.hpp"

#include <algorithm>

namespace mailflow {

namespace {

// New messages to deferred ones, in pages.
constexpr int kReadyPagesPerDuePass = 4;
constexpr std::size_t kHopPage = 100;
// A message that changes under each read is busy enough to be found later.
constexpr int kLoadTries = 3;

const std::string& released_later_key() {
    static const std::string key = NextHop::future_release().key();
    return key;
}

QueueId before(QueueId id) noexcept {
    return QueueId{id.value == 0 ? 0 : id.value - 1};
}

}  // namespace

void QueueManager::request_refill(bool ready, bool due) {
#ifdef MAILFLOW_MUTANTS
    if (parts_.lost_announce) {
        return;
    }
#endif
    wants_ready_ = wants_ready_ || ready;
    wants_due_ = wants_due_ || due;
    if (can_work() && !refilling_ && (wants_ready_ || wants_due_)) {
        refilling_ = true;
        run("queue refill", refill());
    }
}

Task<void> QueueManager::refill() {
    while ((wants_ready_ || wants_due_) && can_work()) {
        bool more_ready = std::exchange(wants_ready_, false);
        bool more_due = std::exchange(wants_due_, false);
        while ((more_ready || more_due) && can_work()) {
            for (int i = 0; i < kReadyPagesPerDuePass && more_ready && can_work(); ++i) {
                more_ready = co_await read_ready_page();
            }
            if (more_due && can_work()) {
                more_due = co_await read_due_hops();
            }
        }
        if (can_work()) {
            co_await arm_next_due();
        }
    }
    refilling_ = false;
}

void QueueManager::come_back_to(QueueId id) {
    const auto after = before(id);
    if (after < ready_cursor_) {
        ready_restart_ = ready_restart_ ? std::min(*ready_restart_, after) : after;
    }
}

void QueueManager::room_was_made() {
    if ((ready_waits_ || due_waits_) && active_.is_half_empty()) {
        request_refill(std::exchange(ready_waits_, false), std::exchange(due_waits_, false));
    }
}

// ---- new messages, by id

Task<bool> QueueManager::read_ready_page() {
    const auto room = active_.room(false, false);
    if (room == 0) {
        ready_waits_ = true;
        co_return false;
    }
    if (ready_restart_) {
        ready_cursor_ = std::min(ready_cursor_, *ready_restart_);
        ready_restart_.reset();
    }
    const auto watch = active_.watch_read();
    auto page =
        co_await parts_.store.ready_after(ready_cursor_, std::min(parts_.limits.page, room));
    if (!page) {
        on_store_error(page.error());
        co_return false;
    }
    if (!can_work()) {
        co_return false;
    }
    if (page->empty()) {
        scan_all_ = scan_all_ && ready_restart_.has_value();
        co_return ready_restart_.has_value();
    }
    active_.note_page(*page);
    bool is_admitted = false;
    bool is_parked = false;
    for (auto& message : *page) {
        const auto id = message.id;
        const auto taken = take_read(message, *watch, nullptr);
        if (taken == Taken::no_room) {
            ready_waits_ = true;
            break;
        }
        ready_cursor_ = std::max(ready_cursor_, id);
        is_admitted = is_admitted || taken == Taken::admitted;
        is_parked = is_parked || taken == Taken::parked;
    }
    commit_changes();
    // A page of messages for full hops only: enough for now, the next event goes on from here.
    const bool is_useless = is_parked && !is_admitted && !scan_all_;
    ready_waits_for_hop_ = ready_waits_for_hop_ || is_useless;
    const bool is_full = active_.room(false, false) == 0;
    ready_waits_ = ready_waits_ || is_full;
    co_return !is_useless && !is_full;
}

// ---- deferred messages, by hop and due time

Task<bool> QueueManager::read_due_hops() {
    // Hops that are busy come back although nothing more of them can be taken: they must not hide
    // the others.
    const auto busy = static_cast<std::size_t>(std::count_if(
        hops_.begin(), hops_.end(), [](const auto& entry) { return entry.second.active() > 0; }));
    auto hops = co_await parts_.store.due_hops(now(), kHopPage + busy);
    if (!hops) {
        on_store_error(hops.error());
        co_return false;
    }
    bool is_more = hops->size() == kHopPage + busy;
    bool is_progress = false;
    for (const auto& state : *hops) {
        if (!can_work()) {
            co_return false;
        }
        adopt(state);
        const auto taken = co_await read_due_messages(state.key);
        is_progress = is_progress || taken;
        is_more = is_more || taken;
    }
    co_return is_more&& is_progress;
}

// True: some were taken and there may be more.
Task<bool> QueueManager::read_due_messages(std::string key) {
    std::size_t limit = active_.sweep_page();
    const auto found = hops_.find(key);
    if (found != hops_.end()) {
        auto& queue = found->second;
        if (queue.in_retry(now())) {
            co_return false;
        }
        const auto room =
            std::min({parts_.limits.page, queue.room(), active_.room(true, queue.active() == 0)});
        if (room == 0) {
            queue.has_backlog = true;
            due_waits_ = due_waits_ || active_.room(true, queue.active() == 0) == 0;
            co_return false;
        }
        // Those in work are still due in the store and come first.
        limit = std::min(room + queue.active() - queue.active_untried(), active_.longest_read());
    }
    const auto watch = active_.watch_read();
    auto page = co_await parts_.store.due_messages(key, now(), limit);
    if (!page) {
        on_store_error(page.error());
        co_return false;
    }
    if (!can_work()) {
        co_return false;
    }
    active_.note_page(*page);
    std::size_t progress = 0;
    for (auto& message : *page) {
        const auto taken = take_read(message, *watch, &key);
        if (taken == Taken::no_room) {
            due_waits_ = true;
            break;
        }
        progress += taken == Taken::nothing ? 0U : 1U;
    }
    commit_changes();
    if (const auto queue = hops_.find(key); queue != hops_.end()) {
        queue->second.has_backlog = page->size() == limit;
        // A short page is not the last, but all of it may be in work now: what comes behind shows
        // when the work is done.
        queue->second.may_have_more = !page->empty();
    }
    co_return !page->empty() && progress > 0;
}

Task<void> QueueManager::arm_next_due() {
    const auto next = co_await parts_.store.next_due();
    if (!next) {
        on_store_error(next.error());
        co_return;
    }
    if (*next) {
        // What is due and stays is in work or has no room; it hides when the next one is due.
        arm(**next > now() ? **next : now() + parts_.limits.due_check_interval);
    }
}

// The store's view of a hop that memory does not know; memory knows better otherwise.
DeliveryQueue* QueueManager::adopt(const NextHopState& state) {
    const auto found = hops_.find(state.key);
    if (found != hops_.end()) {
        return &found->second;
    }
    const auto hop = NextHop::parse(state.key);
    if (!hop || hop->is_waiting_room() || hops_.size() >= parts_.limits.hops) {
        return nullptr;
    }
    auto& made = hops_.try_emplace(state.key, *hop, state, parts_.limits).first->second;
    made.asks_first = depends_on_hosts(*hop, *parts_.organization);
    apply_rules(made, {});
    return &made;
}

// ---- what a read brought

QueueManager::Taken QueueManager::take_read(
    QueuedMessage& message, const ReadWatch& watch, const std::string* hop) {
    const auto id = message.id;
    auto* active = active_.find(id);
    if (active == nullptr) {
        if (watch.was_touched(id)) {
            come_back_to(id);
            wants_ready_ = wants_ready_ || hop == nullptr;
            wants_due_ = wants_due_ || hop != nullptr;
            return Taken::nothing;
        }
        if (message.held) {
            return Taken::nothing;
        }
        if (!active_.takes(message.recipients.size(), hop != nullptr, true)) {
            return Taken::no_room;
        }
        active_.remember_read(id);
        note_appointment(message);
        active =
            &active_.add(std::make_shared<const QueuedMessage>(std::move(message)), hop != nullptr);
    }
    const auto taken = take_idle(*active, hop);
    settle(id);
    return taken;
}

// Routes what is ready, and what is due of `hop`.
QueueManager::Taken QueueManager::take_idle(ActiveMessage& active, const std::string* hop) {
    std::vector<std::uint32_t> numbers;
    for (std::size_t i = 0; i < active.recipients.size(); ++i) {
        const auto& recipient = active.recipients[i];
        const bool is_due = hop != nullptr && recipient.state == RecipientState::deferred &&
                            recipient.next_hop == *hop && recipient.due <= now();
        if (recipient.work == Work::idle && (recipient.state == RecipientState::ready || is_due)) {
            numbers.push_back(active.message->recipients[i].number);
        }
    }
    if (numbers.empty() || active.held || active.removal) {
        return Taken::nothing;
    }
    const auto changes = changes_.size();
    if (hop != nullptr && *hop == released_later_key()) {
        // It is new mail from now on, and leaves its waiting room before the next page is read.
        for (const auto number : numbers) {
            active.at(number).state = RecipientState::ready;
            change(active, number);
        }
    }
    const bool is_admitted = admit(
        active, route_message(*active.message, numbers, *parts_.organization), WhenFull::park);
    if (is_admitted) {
        return Taken::admitted;
    }
    return changes_.size() > changes ? Taken::parked : Taken::nothing;
}

Task<Result<>> QueueManager::load(QueueId id) {
    for (int i = 0; i < kLoadTries; ++i) {
        if (active_.find(id) != nullptr) {
            co_return Result<>();
        }
        const auto watch = active_.watch_read();
        auto found = co_await parts_.store.find(id);
        if (!found) {
            on_store_error(found.error());
            co_return found.error();
        }
        if (active_.find(id) != nullptr) {
            co_return Result<>();
        }
        if (watch->was_touched(id)) {
            continue;
        }
        if (!*found) {
            co_return Error::not_found;
        }
        active_.remember_read(id);
        active_.add(std::make_shared<const QueuedMessage>(std::move(**found)), false);
        co_return Result<>();
    }
    co_return Error::conflict;
}

}  // namespace mailflow
