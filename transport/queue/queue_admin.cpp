#include "transport/queue/queue_admin.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/deliver/delivery_decision.hpp"
#include "transport/ports/content_reader.hpp"

#include <algorithm>
#include <limits>

namespace mailflow {

namespace {

constexpr std::size_t kPage = 100;
// Rows one call of list_messages looks at.
constexpr std::size_t kMessagesRead = 5000;
constexpr const char* kScheduledText = "Waits for the time its sender set";

RecipientStatus status_of(const QueuedRecipient& stored, const ActiveRecipient* active, bool held) {
    const auto state = active == nullptr ? stored.state : active->state;
    if (state == RecipientState::delivered) return RecipientStatus::delivered;
    if (state == RecipientState::failed) return RecipientStatus::failed;
    if (active != nullptr && active->work == Work::running) return RecipientStatus::active;
    if (held || state == RecipientState::held) return RecipientStatus::suspended;
    if (state == RecipientState::ready || (active != nullptr && active->work == Work::queued)) {
        return RecipientStatus::ready;
    }
    const auto& hop = active == nullptr ? stored.next_hop : active->next_hop;
    if (hop == NextHop::future_release().key()) return RecipientStatus::scheduled;
    const auto room = NextHop::parse(hop);
    return room && room->waits_for_route() ? RecipientStatus::unreachable : RecipientStatus::retry;
}

// An address of the envelope names more people than one when it was a group's: then the first.
const QueuedRecipient* find_recipient(const QueuedMessage& message, std::string_view name) {
    const auto& all = message.recipients;
    auto found = std::find_if(all.begin(), all.end(), [name](const auto& recipient) {
        return ascii::equal_ignoring_case(name, recipient.address.text());
    });
    if (found == all.end()) {
        found = std::find_if(all.begin(), all.end(), [name](const auto& recipient) {
            return ascii::equal_ignoring_case(name, recipient.original);
        });
    }
    return found == all.end() ? nullptr : &*found;
}

}  // namespace

const char* to_text(QueueStatus status) noexcept {
    switch (status) {
        case QueueStatus::active: return "Active";
        case QueueStatus::connecting: return "Connecting";
        case QueueStatus::ready: return "Ready";
        case QueueStatus::retry: return "Retry";
    }
    return "";
}

const char* to_text(RecipientStatus status) noexcept {
    switch (status) {
        case RecipientStatus::ready: return "Ready";
        case RecipientStatus::active: return "Active";
        case RecipientStatus::retry: return "Retry";
        case RecipientStatus::unreachable: return "Unreachable";
        case RecipientStatus::scheduled: return "Scheduled";
        case RecipientStatus::suspended: return "Suspended";
        case RecipientStatus::delivered: return "Delivered";
        case RecipientStatus::failed: return "Failed";
    }
    return "";
}

// ---- queues

Task<Result<std::vector<QueueInfo>>> QueueAdmin::list_queues() {
    std::map<std::string, QueueInfo> all;
    std::string after;
    for (;;) {
        auto page = co_await store_.next_hops(after, kPage);
        if (!page) {
            co_return page.error();
        }
        if (page->empty()) {
            break;
        }
        for (const auto& state : *page) {
            const auto hop = NextHop::parse(state.key);
            all[state.key] = describe(hop ? *hop : NextHop{}, state);
        }
        after = page->back().key;
    }
    if (const auto waiting = all.find(NextHop::future_release().key()); waiting != all.end()) {
        auto first = co_await first_release();
        if (!first) {
            co_return first.error();
        }
        waiting->second.next_retry = *first;
    }
    for (const auto& [key, queue] : manager_.queues()) {
        if (!all.contains(key)) {
            NextHopState none;
            none.key = key;
            all[key] = describe(queue.hop(), none);
        }
    }
    std::vector<QueueInfo> queues;
    queues.reserve(all.size());
    for (auto& [key, info] : all) {
        queues.push_back(std::move(info));
    }
    co_return queues;
}

Task<Result<std::optional<UtcTime>>> QueueAdmin::first_release() {
    auto page = co_await store_.due_messages(NextHop::future_release().key(), UtcTime::max(), 1);
    if (!page) {
        co_return page.error();
    }
    if (page->empty()) {
        co_return std::optional<UtcTime>();
    }
    co_return std::optional(page->front().envelope.release);
}

QueueInfo QueueAdmin::describe(const NextHop& hop, const NextHopState& stored) const {
    QueueInfo info;
    info.key = stored.key;
    info.hop = hop;
    info.message_count = stored.deferred;
    const auto found = manager_.queues().find(stored.key);
    const auto& state = found == manager_.queues().end() ? stored : found->second.state();
    if (found != manager_.queues().end()) {
        const auto& queue = found->second;
        info.message_count += queue.active_untried();
        info.running = queue.running();
        info.window = queue.window();
        const auto& destination = queue.destination();
        info.destination = destination.name();
        info.running_at_destination = destination.running();
        info.policy = destination.rules().policy;
        info.waits_for = to_text(manager_.why_waits(queue));
    }
    info.retry_count = state.attempts;
    info.last_error = state.last_error;
    if (state.attempts > 0) {
        info.first_failure = state.first_failure;
        info.next_retry = std::max(state.next_retry, manager_.clock().now());
    }
    if (info.running > 0) {
        info.status = state.attempts > 0 ? QueueStatus::connecting : QueueStatus::active;
    } else if (state.attempts > 0) {
        info.status = QueueStatus::retry;
    }
    if (hop.waits_for_route()) {
        info.last_error = waiting_status(hop).diagnostic;
    } else if (hop.type == DeliveryType::future_release) {
        info.last_error = kScheduledText;
    }
    if (hop.type == DeliveryType::unreachable) {
        info.waits_for = "a send connector";
    } else if (hop.type == DeliveryType::future_release) {
        info.waits_for = "its time";
    } else if (hop.is_waiting_room()) {
        info.waits_for = "another node";
    } else if (info.next_retry && *info.next_retry > manager_.clock().now()) {
        info.waits_for = "next retry";
    }
    return info;
}

// ---- messages

Task<Result<QueueAdmin::MessagePage>> QueueAdmin::list_messages(MessageFilter filter) {
    MessagePage result;
    const QueueId end{std::numeric_limits<std::uint64_t>::max()};
    auto after = filter.after;
    for (std::size_t read = 0; read < kMessagesRead;) {
        const auto limit = std::min(kPage, filter.limit - result.messages.size());
        Result<std::vector<QueuedMessage>> page = std::vector<QueuedMessage>();
        if (filter.next_hop) {
            page = co_await store_.messages_of_hop(*filter.next_hop, after, limit);
        } else {
            page = co_await store_.messages_after(after, end, limit);
        }
        if (!page) {
            co_return page.error();
        }
        if (page->empty()) {
            co_return result;
        }
        for (const auto& message : *page) {
            auto info = describe(message);
            if (matches(info, filter)) {
                result.messages.push_back(std::move(info));
            }
        }
        after = page->back().id;
        read += page->size();
        if (result.messages.size() >= filter.limit) {
            break;
        }
    }
    result.next = after;
    co_return result;
}

bool QueueAdmin::matches(const MessageInfo& message, const MessageFilter& filter) const {
    if (!filter.sender.empty() && !ascii::equal_ignoring_case(filter.sender, message.sender)) {
        return false;
    }
    return filter.recipient.empty() ||
           std::any_of(
               message.recipients.begin(), message.recipients.end(), [&](const auto& recipient) {
                   return ascii::equal_ignoring_case(filter.recipient, recipient.address) ||
                          ascii::equal_ignoring_case(filter.recipient, recipient.original);
               });
}

Task<Result<MessageInfo>> QueueAdmin::find_message(QueueId id) {
    auto found = co_await store_.find(id);
    if (!found) {
        co_return found.error();
    }
    if (!*found) {
        co_return Error::not_found;
    }
    co_return describe(**found);
}

MessageInfo QueueAdmin::describe(const QueuedMessage& message) const {
    const auto* const active = manager_.find_active(message.id);
    MessageInfo info;
    info.id = message.id;
    info.accepted = message.accepted;
    if (message.starts() > message.accepted) {
        info.release = message.starts();
    }
    info.expires = RetrySchedule(manager_.organization().transport()).expires_at(message.starts());
    info.sender = sender_text(message);
    info.message_id = message.content.facts.message_id;
    info.subject = message.content.facts.subject;
    info.size = message.content.size();
    info.origin = message.origin;
    info.held = active == nullptr ? message.held : active->held;
    for (const auto& recipient : message.recipients) {
        const auto* const live =
            active == nullptr ? nullptr : &active->recipients[active->position(recipient.number)];
        info.recipients.push_back(describe(message, recipient, live, info.held));
    }
    return info;
}

RecipientInfo QueueAdmin::describe(
    const QueuedMessage& message,
    const QueuedRecipient& stored,
    const ActiveRecipient* active,
    bool held) const {
    RecipientInfo info;
    const auto& sender = message.reverse_path_of(stored);
    info.reverse_path = sender.is_null() ? "<>" : sender.text();
    info.variant = stored.variant;
    info.number = stored.number;
    info.address = stored.address.text();
    info.original = stored.original;
    info.status = status_of(stored, active, held);
    info.next_hop = active == nullptr ? stored.next_hop : active->next_hop;
    if (active != nullptr && active->work != Work::idle) {
        info.next_hop = active->works_at;
    }
    info.attempts = active == nullptr ? stored.attempts : active->attempts;
    info.last = active == nullptr ? stored.last : active->last;
    const auto queue = manager_.queues().find(info.next_hop);
    const bool has_queue = queue != manager_.queues().end();
    if (info.status == RecipientStatus::retry || info.status == RecipientStatus::scheduled) {
        info.next_attempt = active == nullptr ? stored.due : active->due;
        if (has_queue) {
            info.next_attempt = std::max(*info.next_attempt, queue->second.state().next_retry);
        }
    } else if (info.status == RecipientStatus::ready || info.status == RecipientStatus::active) {
        info.next_attempt = manager_.clock().now();
    }
    if (info.last) {
        info.last_error = info.last->action == DeliveryAction::delayed ||
                                  info.last->action == DeliveryAction::failed
                              ? info.last->diagnostic
                              : std::string();
    } else if (has_queue) {
        info.last_error = queue->second.state().last_error;
    }
    return info;
}

Task<Result<MessageExport>> QueueAdmin::export_message(QueueId id, std::string recipient) {
    auto found = co_await store_.find(id);
    if (!found) {
        co_return found.error();
    }
    if (!*found) {
        co_return Error::not_found;
    }
    const auto& message = **found;
    auto content = message.content;
    if (!recipient.empty()) {
        const auto named = find_recipient(message, recipient);
        if (named == nullptr) {
            co_return Error::not_found;
        }
        content.prefix = message.prefix_of(*named);
        content.edits = message.edits_of(*named);
    }
    MessageExport text;
    text.size = content.size();
    text.message_id = message.content.facts.message_id;
    const auto* const active = manager_.find_active(id);
    if (active != nullptr && active->message->body) {
        text.content = make_content_reader(content, make_memory_reader(active->message->body));
        co_return text;
    }
    auto opened = co_await bodies_.open(id, message.content.body);
    if (!opened) {
        co_return opened.error();
    }
    text.content = make_content_reader(content, std::move(*opened));
    co_return text;
}

}  // namespace mailflow
