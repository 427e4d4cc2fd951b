// One row of message tracking (reference 12.1): what happened to a message, when, where and in
// whose words.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/id.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

enum class TrackingEventId : std::uint8_t {
    receive,
    resolve,  // delivered under another address than RCPT gave
    send,
    deliver,
    defer,
    fail,
    dsn,
    remove,
    expand,    // a group gave way to its members
    redirect,  // forwarded
    rewrite,   // envelope or header addresses changed; `detail` says which
    transfer,  // a copy of the message with an id of its own took some of the recipients
};

[[nodiscard]] const char* to_text(TrackingEventId id) noexcept;  // RECEIVE, RESOLVE, …
[[nodiscard]] std::optional<TrackingEventId> parse_tracking_event(const std::string& text) noexcept;

struct TrackingEvent {
    UtcTime time{};
    TrackingEventId event = TrackingEventId::receive;
    QueueId queue_id;
    std::string message_id;  // header Message-ID with brackets
    std::string sender;      // envelope; `<>` when null
    std::vector<std::string> recipients;
    std::string connector;
    std::string next_hop;  // key; empty where none
    std::string remote;    // `mx1.contoso.com [192.0.2.1]:25`; client's address for RECEIVE
    std::string status;    // enhanced code; empty where none
    std::string detail;    // the remote's words, our reason, or the related QueueId
    std::uint64_t size = 0;
    std::string subject;  // RECEIVE only
};

// All given conditions hold. Texts compare case-insensitively; `from`/`to` are whole addresses or
// `*@domain`.
struct TrackingQuery {
    std::optional<QueueId> queue_id;
    std::string message_id;
    std::string sender;
    std::string recipient;
    std::optional<UtcTime> since;
    std::optional<UtcTime> until;  // exclusive
    std::optional<TrackingEventId> event;
    std::size_t limit = 1000;
};

}  // namespace mailflow
