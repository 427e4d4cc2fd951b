#include "transport/queue/delivery_journal.hpp"

#include <fmt/format.h>

namespace mailflow {

namespace {

const char* words_of(TrackingEventId event) noexcept {
    switch (event) {
        case TrackingEventId::send: return "sent";
        case TrackingEventId::deliver: return "delivered";
        case TrackingEventId::fail: return "failed";
        default: return "deferred";
    }
}

std::string seconds(Duration time) {
    return fmt::format("{}.{:03}", time.count() / 1000, time.count() % 1000);
}

bool share_an_event(const TrackingEvent& a, const TrackingEvent& b) {
    return a.event == b.event && a.queue_id == b.queue_id && a.next_hop == b.next_hop &&
           a.remote == b.remote && a.status == b.status && a.detail == b.detail && a.time == b.time;
}

}  // namespace

std::string remote_text(const DeliveryStatus& status) {
    if (status.remote_mta.empty() || status.remote_address.empty()) {
        return status.remote_mta + status.remote_address;
    }
    return status.remote_mta + " " + status.remote_address;
}

std::string sender_text(const QueuedMessage& message) {
    return message.envelope.reverse_path.is_null() ? "<>" : message.envelope.reverse_path.text();
}

void DeliveryJournal::add(const JournalEntry& entry) {
    log(entry);

    TrackingEvent event;
    event.time = entry.now;
    event.event = entry.event;
    event.queue_id = entry.message.id;
    event.next_hop = entry.hop.key();
    event.remote = remote_text(entry.status);
    event.status = entry.status.status.is_given() ? entry.status.status.text() : std::string();
    event.detail = entry.status.diagnostic;
    if (!entry.tls.empty()) {
        event.detail.append(" (").append(entry.tls).append(")");
    }
    if (pending_ && share_an_event(*pending_, event)) {
        pending_->recipients.push_back(entry.recipient.address.text());
        return;
    }
    flush();
    event.message_id = entry.message.content.facts.message_id;
    event.sender = sender_text(entry.message);
    event.recipients.push_back(entry.recipient.address.text());
    event.connector = entry.hop.connector;
    event.size = entry.message.content.size();
    pending_ = std::move(event);
}

void DeliveryJournal::flush() {
    if (pending_) {
        tracking_.append(std::move(*pending_));
        pending_.reset();
    }
}

void DeliveryJournal::log(const JournalEntry& entry) const {
    if (!log_.on(LogLevel::info)) {
        return;
    }
    const auto age = std::max(Duration::zero(), entry.now - entry.message.accepted);
    const auto before = std::max(Duration::zero(), age - entry.attempt);
    log_.info(
        words_of(entry.event),
        {{"queue-id", entry.message.id},
         {"message-id", entry.message.content.facts.message_id},
         {"from", sender_text(entry.message)},
         {"to", entry.recipient.address.text()},
         {"orig-to", entry.recipient.original},
         {"connector", entry.hop.connector},
         {"next-hop", entry.hop.domain},
         {"remote", remote_text(entry.status)},
         {"tls", entry.tls},
         {"code", entry.status.status.is_given() ? entry.status.status.text() : std::string()},
         {"delay", seconds(age)},
         {"delays", seconds(before) + "/" + seconds(entry.attempt)},
         {"reason", entry.status.diagnostic}});
}

}  // namespace mailflow
