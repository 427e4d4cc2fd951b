#include "server/admin/queue_json.hpp"

#include "transport/mail/date_time.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;

namespace {

json::value time_or_null(const std::optional<UtcTime>& time) {
    if (!time) {
        return nullptr;
    }
    return json::value(json::string(to_iso8601(*time)));
}

json::object to_json(const RecipientInfo& recipient) {
    json::object object;
    object["address"] = recipient.address;
    object["original"] = recipient.original;
    object["reverse_path"] = recipient.reverse_path;
    object["variant"] = recipient.variant;
    object["state"] = to_text(recipient.status);
    object["next_hop"] = recipient.next_hop;
    object["attempts"] = recipient.attempts;
    object["next_attempt"] = time_or_null(recipient.next_attempt);
    object["last_error"] = recipient.last_error;
    object["status"] =
        recipient.last && recipient.last->status.is_given() ? recipient.last->status.text() : "";
    object["remote"] = recipient.last ? remote_text(*recipient.last) : "";
    return object;
}

// The message's status is that of the recipient an administrator would look at first.
std::string status_of(const MessageInfo& message) {
    if (message.held) {
        return to_text(RecipientStatus::suspended);
    }
    for (const auto wanted :
         {RecipientStatus::active,
          RecipientStatus::retry,
          RecipientStatus::unreachable,
          RecipientStatus::scheduled,
          RecipientStatus::suspended,
          RecipientStatus::ready,
          RecipientStatus::failed}) {
        for (const auto& recipient : message.recipients) {
            if (recipient.status == wanted) {
                return to_text(wanted);
            }
        }
    }
    return to_text(RecipientStatus::delivered);
}

}  // namespace

json::object to_json(const QueueInfo& queue) {
    json::object object;
    object["queue"] = queue.key;
    object["delivery_type"] = to_text(queue.hop.type);
    object["next_hop_domain"] = queue.hop.domain;
    object["connector"] = queue.hop.connector;
    object["status"] = to_text(queue.status);
    object["recipients"] = queue.message_count;
    object["running"] = queue.running;
    object["window"] = queue.window;
    object["destination"] = queue.destination;
    object["running_at_destination"] = queue.running_at_destination;
    object["policy"] = queue.policy;
    object["waits_for"] = queue.waits_for;
    object["attempts"] = queue.retry_count;
    object["first_failure"] = time_or_null(queue.first_failure);
    object["next_retry"] = time_or_null(queue.next_retry);
    object["last_error"] = queue.last_error;
    return object;
}

json::object to_json(const MessageInfo& message) {
    json::array recipients;
    std::optional<UtcTime> next_attempt;
    std::string last_error;
    for (const auto& recipient : message.recipients) {
        recipients.push_back(to_json(recipient));
        if (recipient.next_attempt) {
            next_attempt = next_attempt ? std::min(*next_attempt, *recipient.next_attempt)
                                        : *recipient.next_attempt;
        }
        if (last_error.empty()) {
            last_error = recipient.last_error;
        }
    }
    json::object object;
    object["id"] = message.id.text();
    object["status"] = status_of(message);
    object["accepted"] = to_iso8601(message.accepted);
    object["release"] = time_or_null(message.release);
    object["expires"] = to_iso8601(message.expires);
    object["sender"] = message.sender;
    object["message_id"] = message.message_id;
    object["subject"] = message.subject;
    object["size"] = message.size;
    object["connector"] = message.origin.connector;
    object["client"] = message.origin.client.text();
    object["helo"] = message.origin.helo;
    object["held"] = message.held;
    object["next_attempt"] = time_or_null(next_attempt);
    object["last_error"] = last_error;
    object["recipients"] = std::move(recipients);
    return object;
}

}  // namespace mailflow
