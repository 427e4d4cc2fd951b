// What every TrackingSink promises. Called from a TEST_CASE with a fresh, empty sink; each section
// is one promise.
#pragma once

#include "tests/support/run_task.hpp"
#include "transport/ports/tracking_sink.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

inline std::string details_of(const Result<std::vector<TrackingEvent>>& found) {
    if (!found) return found.error().message();
    std::string text;
    for (const auto& event : *found)
        text += event.detail + " ";
    return text;
}

inline void check_tracking(TestLane& test, TrackingSink& sink) {
    const auto start = test.clock.now();
    const auto id_of = [](UtcTime time) {
        return QueueId{QueueId::earliest_at(time).value};
    };
    const auto event_at = [&](Duration after, TrackingEventId kind, const std::string& detail) {
        TrackingEvent event;
        event.time = start + after;
        event.event = kind;
        event.queue_id = id_of(start);
        event.message_id = "<1@contoso.com>";
        event.sender = "alice@contoso.com";
        event.recipients = {"bob@fabrikam.com", "carol@fabrikam.com"};
        event.detail = detail;
        return event;
    };
    const auto find = [&](const TrackingQuery& query) {
        return details_of(test.run(sink.find(query)));
    };
    using std::chrono::hours;

    SECTION("what was appended is found whole") {
        auto event = event_at(Duration(0), TrackingEventId::defer, "451 try later");
        event.connector = "Internet";
        event.next_hop = "dns|fabrikam.com|Internet";
        event.remote = "mx1.fabrikam.com [192.0.2.1]:25";
        event.status = "4.4.1";
        event.size = 12345;
        event.subject = "Hello \xC3\x9C";
        sink.append(event);

        const auto found = test.run(sink.find({})).value();

        REQUIRE(found.size() == 1);
        CHECK(found[0].time == event.time);
        CHECK(found[0].event == event.event);
        CHECK(found[0].queue_id == event.queue_id);
        CHECK(found[0].message_id == event.message_id);
        CHECK(found[0].sender == event.sender);
        CHECK(found[0].recipients == event.recipients);
        CHECK(found[0].connector == event.connector);
        CHECK(found[0].next_hop == event.next_hop);
        CHECK(found[0].remote == event.remote);
        CHECK(found[0].status == event.status);
        CHECK(found[0].detail == event.detail);
        CHECK(found[0].size == event.size);
        CHECK(found[0].subject == event.subject);
    }
    SECTION("events come in order of time, over days") {
        sink.append(event_at(hours(0), TrackingEventId::receive, "a"));
        sink.append(event_at(hours(20), TrackingEventId::defer, "b"));
        sink.append(event_at(hours(50), TrackingEventId::deliver, "c"));

        CHECK(find({}) == "a b c ");
    }
    SECTION("every condition of a query narrows it") {
        sink.append(event_at(hours(0), TrackingEventId::receive, "a"));
        auto other = event_at(hours(30), TrackingEventId::receive, "b");
        other.queue_id = id_of(start + hours(30));
        other.message_id = "<2@contoso.com>";
        other.sender = "<>";
        other.recipients = {"dave@northwind.com"};
        sink.append(other);
        TrackingQuery by_id;
        by_id.queue_id = other.queue_id;
        TrackingQuery by_message_id;
        by_message_id.message_id = "<1@CONTOSO.com>";
        TrackingQuery by_sender;
        by_sender.sender = "Alice@Contoso.com";
        TrackingQuery by_null_sender;
        by_null_sender.sender = "<>";
        TrackingQuery by_recipient;
        by_recipient.recipient = "CAROL@fabrikam.com";
        TrackingQuery by_domain;
        by_domain.recipient = "*@Northwind.com";
        TrackingQuery since;
        since.since = start + hours(1);
        TrackingQuery until;
        until.until = start + hours(30);
        TrackingQuery by_event;
        by_event.event = TrackingEventId::send;
        auto both = by_sender;
        both.recipient = "*@northwind.com";

        CHECK(find(by_id) == "b ");
        CHECK(find(by_message_id) == "a ");
        CHECK(find(by_sender) == "a ");
        CHECK(find(by_null_sender) == "b ");
        CHECK(find(by_recipient) == "a ");
        CHECK(find(by_domain) == "b ");
        CHECK(find(since) == "b ");
        CHECK(find(until) == "a ");
        CHECK(find(by_event) == "");
        CHECK(find(both) == "");
    }
    SECTION("no more than the limit is given") {
        for (int i = 0; i < 20; ++i) {
            sink.append(event_at(hours(3 * i), TrackingEventId::defer, std::to_string(i)));
        }
        TrackingQuery query;
        query.limit = 5;

        CHECK(test.run(sink.find(query)).value().size() == 5);
    }
}

}  // namespace mailflow
