// QueueManager, part eight: the watchdog. Once a minute it looks through what is in memory, and
// through a bounded part of what rests on disk, for recipients that nothing will move; it counts
// them, says so, and puts them back into the flow. There are none, unless something is broken.
#include "transport/queue/queue_manager.hpp"
#include "transport/queue/stuck_check.hpp"

#include <algorithm>

namespace mailflow {

namespace {

// Pages of a look: a queue of a million is gone through within some hours, a usual one at once.
constexpr int kPagesPerLook = 40;

}  // namespace

Task<void> QueueManager::watch_stuck() {
    stuck_in_memory_ = 0;
    watch_messages();
    watch_queues();
    commit_changes();
    co_await watch_disk();
}

void QueueManager::found_stuck(QueueId id, std::string_view why, std::size_t recipients) {
    parts_.lane.log().error(
        "recipients were stuck, and are put back into the flow",
        {{"queue-id", id}, {"recipients", recipients}, {"reason", why}});
}

// ---- in memory

// What says of itself that it is in work is.
void QueueManager::watch_messages() {
    std::map<std::string, std::set<QueueId>> waiting;
    for (const auto& [key, queue] : hops_) {
        if (queue.has_waiting()) {
            waiting.emplace(key, queue.waiting_messages());
        }
    }
    std::vector<QueueId> broken;
    for (auto& [id, active] : active_.messages()) {
        std::size_t lost = 0;
        for (std::size_t i = 0; i < active.recipients.size(); ++i) {
            const auto& recipient = active.recipients[i];
            const auto number = active.message->recipients[i].number;
            const auto hop = waiting.find(recipient.works_at);
            const bool is_lost =
                (recipient.work == Work::running && !running_rows_.contains({id, number})) ||
                (recipient.work == Work::queued &&
                 (hop == waiting.end() || !hop->second.contains(id)));
            if (is_lost) {
                end_work(active, number);
                ++lost;
            }
        }
        if (lost > 0) {
            found_stuck(id, "in work nowhere", lost);
        } else if (active.in_work == 0 && !active.is_reporting) {
            lost = active.recipients.size();
            found_stuck(id, "kept in memory for nothing", lost);
        }
        stuck_in_memory_ += lost;
        if (lost > 0) {
            broken.push_back(id);
        }
    }
    for (const auto id : broken) {
        put_back(*active_.find(id));
    }
}

// What nothing holds up has started.
void QueueManager::watch_queues() {
    for (auto& [key, queue] : hops_) {
        const bool is_stuck = queue.can_start(now()) && queue.running() == 0 &&
                              !queue.destination().wake && held_by(queue) == HeldBy::nothing;
        if (!is_stuck) {
            continue;
        }
        const auto messages = queue.waiting_messages();
        stuck_in_memory_ += messages.size();
        found_stuck(*messages.begin(), "its turn did not come", messages.size());
        std::erase(line_of(queue, queue.held_by), key);
        queue.held_by = HeldBy::nothing;
        pump(queue);
    }
}

// Routes all that is idle and not final, whatever it waited for.
void QueueManager::put_back(ActiveMessage& active) {
    const auto id = active.id();
    std::vector<std::uint32_t> numbers;
    for (std::size_t i = 0; i < active.recipients.size(); ++i) {
        auto& recipient = active.recipients[i];
        if (is_final(recipient.state) || recipient.work != Work::idle) {
            continue;
        }
        if (recipient.state == RecipientState::held) {
            recipient.state = RecipientState::ready;
        }
        recipient.due = std::min(recipient.due, now());
        numbers.push_back(active.message->recipients[i].number);
        change(active, numbers.back());
    }
    if (!active.held && !active.removal && !numbers.empty()) {
        admit(
            active, route_message(*active.message, numbers, *parts_.organization), WhenFull::park);
    }
    settle(id);
}

// ---- on disk

// A part of it; behind the last message a new lap begins.
Task<void> QueueManager::watch_disk() {
    const auto end = QueueId::earliest_at(now() - kStuckPatience);
    for (int pages = 0; pages < kPagesPerLook && can_work(); ++pages) {
        const auto watch = active_.watch_read();
        auto page = co_await parts_.store.messages_after(stuck_cursor_, end, active_.sweep_page());
        if (!page) {
            on_store_error(page.error());
            co_return;
        }
        if (page->empty()) {
            stuck_in_last_lap_ = std::exchange(stuck_in_lap_, 0);
            stuck_cursor_ = {};
            co_return;
        }
        active_.note_page(*page);
        for (auto& message : *page) {
            stuck_cursor_ = message.id;
            if (can_work() && active_.find(message.id) == nullptr &&
                !watch->was_touched(message.id)) {
                watch_stored(message);
            }
        }
        commit_changes();
    }
}

void QueueManager::watch_stored(QueuedMessage& message) {
    FlowFacts facts;
    facts.now = now();
    facts.accepted = message.starts();
    facts.expires = schedule_.expires_at(message.starts());
    facts.held = message.held;
    facts.has_room = !ready_waits_ && !due_waits_ && !ready_waits_for_hop_ && !refilling_ &&
                     active_.room(true, false) > 0;
    std::size_t stuck = 0;
    auto why = Flow::moves;
    for (const auto& recipient : message.recipients) {
        const auto hop = hops_.find(recipient.next_hop);
        facts.is_busy = hop == hops_.end()
                            ? hops_.size() >= parts_.limits.hops
                            : hop->second.in_retry(now()) || hop->second.active() > 0 ||
                                  hop->second.has_backlog;
        const auto flow = flow_of(recipient, facts);
        stuck += flow == Flow::moves ? 0U : 1U;
        why = flow == Flow::moves ? why : flow;
    }
    if (stuck == 0) {
        return;
    }
    stuck_in_lap_ += stuck;
    found_stuck(message.id, to_text(why), stuck);
    active_.remember_read(message.id);
    put_back(active_.add(std::make_shared<const QueuedMessage>(std::move(message)), true));
}

}  // namespace mailflow
