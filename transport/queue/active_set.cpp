#include "transport/queue/active_set.hpp"

#include <algorithm>
#include <stdexcept>

namespace mailflow {

namespace {

// An announcement is posted right after the commit; this many messages would have to be read from
// the store between the two for one to be forgotten.
constexpr std::size_t kReadsRemembered = 8192;

ActiveRecipient active_part(const QueuedRecipient& recipient) {
    return {
        recipient.state,
        recipient.reported,
        recipient.delay_notified,
        recipient.attempts,
        recipient.due,
        recipient.next_hop,
        recipient.last,
        Work::idle,
        {}};
}

std::uint64_t body_size(const ActiveMessage& active) noexcept {
    return active.message->body ? active.message->body->size() : 0;
}

}  // namespace

std::size_t ActiveMessage::position(std::uint32_t number) const {
    const auto& stored = message->recipients;
    if (number < stored.size() && stored[number].number == number) {
        return number;
    }
    const auto found = std::find_if(
        stored.begin(), stored.end(), [number](const auto& one) { return one.number == number; });
    if (found == stored.end()) {
        throw std::out_of_range("no recipient of that number");
    }
    return static_cast<std::size_t>(found - stored.begin());
}

ActiveSet::ActiveSet(const QueueLimits& limits)
    : reserve_(std::max<std::size_t>(2, limits.active_rows / 10))
    , usable_(limits.active_rows > reserve_ ? limits.active_rows - reserve_ : 1)
    , sweep_page_(std::clamp<std::size_t>(reserve_ / 10, 1, limits.page))
    , body_budget_(limits.body_bytes) {}

ActiveMessage* ActiveSet::find(QueueId id) noexcept {
    const auto found = messages_.find(id);
    return found == messages_.end() ? nullptr : &found->second;
}

const ActiveMessage* ActiveSet::find(QueueId id) const noexcept {
    const auto found = messages_.find(id);
    return found == messages_.end() ? nullptr : &found->second;
}

ActiveMessage& ActiveSet::add(QueuedMessagePtr message, bool tried) {
    if (message->body && body_bytes_ + message->body->size() > body_budget_) {
        auto copy = std::make_shared<QueuedMessage>(*message);
        copy->body.reset();
        message = std::move(copy);
    }
    ActiveMessage active;
    active.tried = tried;
    active.held = message->held;
    active.recipients.reserve(message->recipients.size());
    for (const auto& recipient : message->recipients) {
        active.recipients.push_back(active_part(recipient));
    }
    active.message = std::move(message);

    rows_ += active.recipients.size();
    tried_rows_ += tried ? active.recipients.size() : 0;
    highest_rows_ = std::max(highest_rows_, rows_);
    body_bytes_ += body_size(active);
    const auto id = active.id();
    return messages_.emplace(id, std::move(active)).first->second;
}

void ActiveSet::remove(QueueId id) {
    const auto found = messages_.find(id);
    if (found == messages_.end()) {
        return;
    }
    const auto& active = found->second;
    rows_ -= active.recipients.size();
    tried_rows_ -= active.tried ? active.recipients.size() : 0;
    body_bytes_ -= body_size(active);
    messages_.erase(found);
}

void ActiveSet::note_page(const std::vector<QueuedMessage>& page) noexcept {
    std::size_t rows = rows_;
    for (const auto& message : page) {
        rows += message.recipients.size();
    }
    highest_rows_ = std::max(highest_rows_, rows);
}

bool ActiveSet::takes(std::size_t rows, bool tried, bool hop_is_idle) const noexcept {
    // A message larger than any room comes in alone.
    return rows <= room(tried, hop_is_idle) || messages_.empty();
}

std::size_t ActiveSet::room(bool tried, bool hop_is_idle) const noexcept {
    const auto all = usable_ - std::min(usable_, rows_);
    if (hop_is_idle) {
        return all;
    }
    const auto fifth = usable_ / 5;
    const auto shared = all - std::min(all, fifth);
    if (!tried) {
        return shared;
    }
    return std::max(shared, std::min(all, fifth - std::min(fifth, tried_rows_)));
}

std::shared_ptr<ReadWatch> ActiveSet::watch_read() {
    std::erase_if(watches_, [](const auto& watch) { return watch.expired(); });
    auto watch = std::make_shared<ReadWatch>();
    watches_.push_back(watch);
    return watch;
}

void ActiveSet::touch(QueueId id) {
    for (const auto& weak : watches_) {
        if (const auto watch = weak.lock()) {
            watch->touch(id);
        }
    }
}

void ActiveSet::remember_read(QueueId id) {
    if (read_.insert(id).second) {
        read_order_.push_back(id);
    }
    if (read_order_.size() > kReadsRemembered) {
        read_.erase(read_order_.front());
        read_order_.pop_front();
    }
}

}  // namespace mailflow
