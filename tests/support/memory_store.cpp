#include "tests/support/memory_store.hpp"

#include "transport/base/error.hpp"

#include <algorithm>
#include <stdexcept>

namespace mailflow {

// ---- writing

Task<void> MemoryStore::gate() {
    if (held_) {
        OneShot<bool> opened;
        waiting_.push_back(&opened);
        co_await opened.wait();
    }
}

Task<Result<>> MemoryStore::commit(Submission submission) {
    co_await gate();
    bool is_known = messages_.contains(submission.message.id);
    for (const auto& copy : submission.copies) {
        is_known = is_known || messages_.contains(copy.id);
    }
    if (is_known) {
        co_return Error::already_exists;
    }
    for (auto& copy : submission.copies) {
        if (bodies_ != nullptr) {
            bodies_->share(submission.message.id, copy.id);
        }
        put(std::move(copy));
    }
    put(std::move(submission.message));
    ++commits_;
    synced();
    co_return Result<>();
}

Task<Result<>> MemoryStore::commit_report(Submission report, ReportMark mark) {
    co_await gate();
    if (messages_.contains(report.message.id)) {
        co_return Error::already_exists;
    }
    put(std::move(report.message));
    if (const auto found = messages_.find(mark.message); found != messages_.end()) {
        for (const auto number : mark.recipients) {
            auto& recipient = found->second.recipients.at(number);
            (mark.delay ? recipient.delay_notified : recipient.reported) = true;
        }
    }
    ++commits_;
    synced();
    co_return Result<>();
}

void MemoryStore::record(std::vector<QueueChange> changes) {
    for (const auto& change : changes) {
        std::visit([this](const auto& one) { apply(one); }, change);
    }
}

Task<Result<>> MemoryStore::flush() {
    co_await gate();
    synced();
    co_return Result<>();
}

void MemoryStore::hold_commits(bool held) {
    held_ = held;
    if (!held_) {
        for (auto* const waiter : std::exchange(waiting_, {})) {
            waiter->complete(true);
        }
    }
}

void MemoryStore::crash() {
    for (auto step = undo_.rbegin(); step != undo_.rend(); ++step) {
        (*step)();
    }
    undo_.clear();
}

void MemoryStore::put(QueuedMessage message) {
    const auto id = message.id;
    auto& stored = messages_[id] = std::move(message);
    for (const auto& recipient : stored.recipients) {
        if (recipient.state == RecipientState::deferred) {
            hops_[recipient.next_hop].waiting.emplace(recipient.due, id, recipient.number);
        }
    }
}

void MemoryStore::erase(QueueId id) {
    const auto found = messages_.find(id);
    if (found == messages_.end()) {
        return;
    }
    for (const auto& recipient : found->second.recipients) {
        if (recipient.state == RecipientState::deferred) {
            hops_[recipient.next_hop].waiting.erase({recipient.due, id, recipient.number});
        }
    }
    messages_.erase(found);
}

void MemoryStore::remember(QueueId id) {
    const auto found = messages_.find(id);
    if (found != messages_.end()) {
        undo_.emplace_back([this, before = found->second] {
            erase(before.id);
            put(before);
        });
    }
}

void MemoryStore::remember(const std::string& hop) {
    undo_.emplace_back([this, hop, before = hops_[hop].state] { hops_[hop].state = before; });
}

void MemoryStore::set_state(
    QueuedMessage& message, QueuedRecipient& recipient, RecipientState state) {
    if (recipient.state == RecipientState::deferred) {
        hops_[recipient.next_hop].waiting.erase({recipient.due, message.id, recipient.number});
    }
    recipient.state = state;
}

void MemoryStore::apply(const RecipientChange& change) {
    const auto found = messages_.find(change.message);
    if (found == messages_.end()) {
        return;
    }
    auto& recipient = found->second.recipients.at(change.recipient);
    if (is_final(recipient.state) && recipient.state != change.state) {
        throw std::logic_error("a final recipient moves");
    }
    remember(change.message);
    set_state(found->second, recipient, change.state);
    recipient.attempts = change.attempts;
    recipient.due = change.due;
    recipient.next_hop = change.next_hop;
    recipient.reported = recipient.reported || change.reported;
    if (change.last) {
        recipient.last = change.last;
    }
    if (change.state == RecipientState::deferred) {
        hops_[recipient.next_hop].waiting.emplace(recipient.due, change.message, recipient.number);
        hops_[recipient.next_hop].state.key = recipient.next_hop;
    }
}

void MemoryStore::apply(const RetireMessage& change) {
    remember(change.message);
    erase(change.message);
    if (bodies_ != nullptr) {
        bodies_->release(change.message);
    }
}

void MemoryStore::apply(const HoldMessage& change) {
    const auto found = messages_.find(change.message);
    if (found == messages_.end()) {
        return;
    }
    remember(change.message);
    auto& message = found->second;
    message.held = change.held;
    for (auto& recipient : message.recipients) {
        if (change.held && !is_final(recipient.state)) {
            set_state(message, recipient, RecipientState::held);
        } else if (!change.held && recipient.state == RecipientState::held) {
            recipient.state = RecipientState::ready;
        }
    }
}

void MemoryStore::apply(const NextHopState& change) {
    remember(change.key);
    auto& hop = hops_[change.key];
    hop.state = change;
    hop.state.deferred = 0;
}

Task<Result<std::uint64_t>> MemoryStore::make_due(std::string hop, UtcTime now) {
    std::uint64_t count = 0;
    for (auto& [key, state] : hops_) {
        if (!hop.empty() && key != hop) {
            continue;
        }
        state.state.next_retry = {};
        const auto waiting = std::exchange(state.waiting, {});
        for (const auto& [when, id, number] : waiting) {
            const auto due = std::min(when, now);
            messages_.at(id).recipients.at(number).due = due;
            state.waiting.emplace(due, id, number);
            ++count;
        }
    }
    co_return count;
}

// ---- reading

QueuedMessage MemoryStore::without_body(const QueuedMessage& message) {
    auto copy = message;
    copy.body.reset();
    return copy;
}

NextHopState MemoryStore::shown(const Hop& hop) {
    auto state = hop.state;
    state.deferred = hop.waiting.size();
    return state;
}

UtcTime MemoryStore::due(const Hop& hop) {
    return std::max(hop.state.next_retry, std::get<0>(*hop.waiting.begin()));
}

std::vector<QueuedMessage> MemoryStore::page(
    QueueId after,
    std::size_t limit,
    const std::function<bool(const QueuedMessage&)>& wanted) const {
    std::vector<QueuedMessage> found;
    for (auto row = messages_.upper_bound(after); row != messages_.end() && found.size() < limit;
         ++row) {
        if (wanted(row->second)) {
            found.push_back(without_body(row->second));
        }
    }
    return found;
}

namespace {

bool any_recipient(
    const QueuedMessage& message, const std::function<bool(const QueuedRecipient&)>& wanted) {
    return std::any_of(message.recipients.begin(), message.recipients.end(), wanted);
}

}  // namespace

Task<Result<std::vector<QueuedMessage>>> MemoryStore::ready_after(
    QueueId after, std::size_t limit) {
    co_return page(after, limit, [](const QueuedMessage& message) {
        return any_recipient(message, [](const auto& recipient) {
            return recipient.state == RecipientState::ready;
        });
    });
}

Task<Result<std::vector<NextHopState>>> MemoryStore::next_hops(
    std::string after, std::size_t limit) {
    std::vector<NextHopState> found;
    for (auto row = hops_.upper_bound(after); row != hops_.end() && found.size() < limit; ++row) {
        if (!row->second.waiting.empty()) {
            found.push_back(shown(row->second));
            found.back().key = row->first;
        }
    }
    co_return found;
}

Task<Result<std::vector<NextHopState>>> MemoryStore::due_hops(UtcTime now, std::size_t limit) {
    std::multimap<UtcTime, NextHopState> found;
    for (const auto& [key, hop] : hops_) {
        if (!hop.waiting.empty() && due(hop) <= now) {
            auto state = shown(hop);
            state.key = key;
            found.emplace(due(hop), std::move(state));
        }
    }
    std::vector<NextHopState> result;
    for (auto& [when, state] : found) {
        if (result.size() < limit) {
            result.push_back(std::move(state));
        }
    }
    co_return result;
}

Task<Result<std::optional<UtcTime>>> MemoryStore::next_due() {
    std::optional<UtcTime> earliest;
    for (const auto& [key, hop] : hops_) {
        if (!hop.waiting.empty()) {
            earliest = earliest ? std::min(*earliest, due(hop)) : due(hop);
        }
    }
    co_return earliest;
}

Task<Result<std::vector<QueuedMessage>>> MemoryStore::due_messages(
    std::string hop, UtcTime now, std::size_t limit) {
    std::vector<QueuedMessage> found;
    std::set<QueueId> seen;
    const auto row = hops_.find(hop);
    if (row != hops_.end()) {
        for (const auto& [when, id, number] : row->second.waiting) {
            if (when > now || found.size() == limit) {
                break;
            }
            if (seen.insert(id).second) {
                found.push_back(without_body(messages_.at(id)));
            }
        }
    }
    co_return found;
}

Task<Result<std::vector<QueuedMessage>>> MemoryStore::unreported_after(
    QueueId after, std::size_t limit) {
    co_return page(after, limit, [](const QueuedMessage& message) {
        return any_recipient(message, [](const auto& recipient) {
            return is_final(recipient.state) && !recipient.reported;
        });
    });
}

Task<Result<std::vector<QueuedMessage>>> MemoryStore::messages_after(
    QueueId after, QueueId before, std::size_t limit) {
    co_return page(
        after, limit, [before](const QueuedMessage& message) { return message.id < before; });
}

Task<Result<std::vector<QueuedMessage>>> MemoryStore::messages_of_hop(
    std::string hop, QueueId after, std::size_t limit) {
    co_return page(after, limit, [&hop](const QueuedMessage& message) {
        return any_recipient(message, [&hop](const auto& recipient) {
            return recipient.state == RecipientState::deferred && recipient.next_hop == hop;
        });
    });
}

Task<Result<std::optional<QueuedMessage>>> MemoryStore::find(QueueId id) {
    const auto found = messages_.find(id);
    if (found == messages_.end()) {
        co_return std::optional<QueuedMessage>();
    }
    co_return std::optional<QueuedMessage>(without_body(found->second));
}

Task<Result<QueueTotals>> MemoryStore::totals() {
    QueueTotals totals;
    for (const auto& [id, message] : messages_) {
        ++totals.messages;
        totals.held_messages += message.held ? 1 : 0;
        for (const auto& recipient : message.recipients) {
            totals.ready_recipients += recipient.state == RecipientState::ready ? 1 : 0;
        }
    }
    for (const auto& [key, hop] : hops_) {
        totals.deferred_recipients += hop.waiting.size();
    }
    co_return totals;
}

// ---- FaultyStore

ErrorCode FaultyStore::next_call() noexcept {
    if (latched_) {
        return Error::store_failed;
    }
    if (countdown_ == 0 || --countdown_ > 0) {
        return {};
    }
    latched_ = error_ == Error::store_failed;
    return error_;
}

Task<Result<>> FaultyStore::commit(Submission submission) {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.commit(std::move(submission));
    co_return result;
}

Task<Result<>> FaultyStore::commit_report(Submission report, ReportMark mark) {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.commit_report(std::move(report), std::move(mark));
    co_return result;
}

void FaultyStore::record(std::vector<QueueChange> changes) {
    if (!latched_) {
        store_.record(std::move(changes));
    }
}

Task<Result<>> FaultyStore::flush() {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.flush();
    co_return result;
}

Task<Result<std::vector<QueuedMessage>>> FaultyStore::ready_after(
    QueueId after, std::size_t limit) {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.ready_after(after, limit);
    co_return result;
}

Task<Result<std::vector<NextHopState>>> FaultyStore::next_hops(
    std::string after, std::size_t limit) {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.next_hops(std::move(after), limit);
    co_return result;
}

Task<Result<std::vector<NextHopState>>> FaultyStore::due_hops(UtcTime now, std::size_t limit) {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.due_hops(now, limit);
    co_return result;
}

Task<Result<std::optional<UtcTime>>> FaultyStore::next_due() {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.next_due();
    co_return result;
}

Task<Result<std::vector<QueuedMessage>>> FaultyStore::due_messages(
    std::string hop, UtcTime now, std::size_t limit) {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.due_messages(std::move(hop), now, limit);
    co_return result;
}

Task<Result<std::vector<QueuedMessage>>> FaultyStore::unreported_after(
    QueueId after, std::size_t limit) {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.unreported_after(after, limit);
    co_return result;
}

Task<Result<std::vector<QueuedMessage>>> FaultyStore::messages_after(
    QueueId after, QueueId before, std::size_t limit) {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.messages_after(after, before, limit);
    co_return result;
}

Task<Result<std::vector<QueuedMessage>>> FaultyStore::messages_of_hop(
    std::string hop, QueueId after, std::size_t limit) {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.messages_of_hop(std::move(hop), after, limit);
    co_return result;
}

Task<Result<std::optional<QueuedMessage>>> FaultyStore::find(QueueId id) {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.find(id);
    co_return result;
}

Task<Result<QueueTotals>> FaultyStore::totals() {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.totals();
    co_return result;
}

Task<Result<std::uint64_t>> FaultyStore::make_due(std::string hop, UtcTime now) {
    if (const auto error = next_call()) {
        co_return error;
    }
    auto result = co_await store_.make_due(std::move(hop), now);
    co_return result;
}

}  // namespace mailflow
