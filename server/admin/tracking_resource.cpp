#include "server/admin/tracking_resource.hpp"

#include "server/admin/json_answers.hpp"
#include "transport/base/ascii.hpp"
#include "transport/mail/date_time.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxEvents = 100000;

json::object to_json(const TrackingEvent& event) {
    json::array recipients;
    for (const auto& recipient : event.recipients) {
        recipients.emplace_back(recipient);
    }
    json::object object;
    object["time"] = to_iso8601(event.time);
    object["event"] = to_text(event.event);
    object["queue_id"] = event.queue_id.text();
    object["message_id"] = event.message_id;
    object["sender"] = event.sender;
    object["recipients"] = std::move(recipients);
    object["connector"] = event.connector;
    object["next_hop"] = event.next_hop;
    object["remote"] = event.remote;
    object["status"] = event.status;
    object["detail"] = event.detail;
    object["size"] = event.size;
    object["subject"] = event.subject;
    return object;
}

// Message-IDs are kept as the field has them; people type them with and without the brackets.
std::string with_brackets(std::string_view message_id) {
    if (message_id.empty() || message_id.front() == '<') {
        return std::string(message_id);
    }
    return "<" + std::string(message_id) + ">";
}

// The query, or what is wrong with the request.
std::string read_query(const HttpRequest& request, TrackingQuery& query) {
    query.message_id = with_brackets(request.parameter("message_id"));
    query.sender = request.parameter("from");
    query.recipient = request.parameter("to");
    if (const auto text = request.parameter("queue_id"); !text.empty()) {
        const auto id = QueueId::parse(text);
        if (!id) {
            return "\"" + std::string(text) +
                   "\" is no QueueId: 13 letters and digits, as in the reply to DATA";
        }
        query.queue_id = *id;
    }
    for (const auto& [name, into] :
         {std::pair{"since", &query.since}, std::pair{"until", &query.until}}) {
        if (const auto text = request.parameter(name); !text.empty()) {
            const auto time = parse_iso8601(text);
            if (!time) {
                return "\"" + std::string(text) + "\" is no time: write 2026-11-23T08:40:16Z";
            }
            *into = *time;
        }
    }
    if (const auto text = request.parameter("event"); !text.empty()) {
        std::string name(text);
        std::transform(name.begin(), name.end(), name.begin(), [](char c) {
            return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        });
        query.event = parse_tracking_event(name);
        if (!query.event) {
            return "there is no event \"" + name +
                   "\": RECEIVE, RESOLVE, SEND, DELIVER, DEFER, FAIL, DSN, REMOVE";
        }
    }
    if (const auto text = request.parameter("limit"); !text.empty()) {
        const auto limit = ascii::parse_number(text);
        if (!limit || *limit == 0 || *limit > kMaxEvents) {
            return "limit is a number from 1 to " + std::to_string(kMaxEvents);
        }
        query.limit = static_cast<std::size_t>(*limit);
    }
    return {};
}

}  // namespace

Task<HttpResponse> TrackingResource::handle(HttpRequest request) {
    if (request.method != HttpMethod::get) {
        co_return json_error(405, "tracking can only be read");
    }
    TrackingQuery query;
    const auto wrong = read_query(request, query);
    if (!wrong.empty()) {
        co_return json_error(400, wrong);
    }
    const auto events = co_await tracking_.find(std::move(query));
    if (!events) {
        co_return json_error(503, "tracking could not be read: " + events.error().message());
    }
    json::array rows;
    for (const auto& event : *events) {
        rows.push_back(to_json(event));
    }
    co_return json_answer(rows);
}

}  // namespace mailflow
