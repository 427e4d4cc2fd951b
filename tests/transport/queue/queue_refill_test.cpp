// How the queue comes into memory: bounded, in turn, and never twice.
#include "tests/transport/queue/queue_fixture.hpp"

#include <chrono>
#include <map>

namespace mailflow {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// Every message was handed over exactly once.
void check_each_once(const QueueFixture& f, std::size_t messages) {
    std::map<QueueId, int> seen;
    for (const auto& job : f.smtp.jobs()) {
        ++seen[job.message->id];
    }
    CHECK(seen.size() == messages);
    for (const auto& [id, count] : seen) {
        CHECK(count == 1);
    }
}

TEST_CASE("a start finds what was accepted and never announced", "[queue][refill]") {
    QueueFixture f;
    const auto id = f.commit("bob@example.net", {"carol@example.org"});

    f.start();

    CHECK(f.smtp.attempts(id) == 1);
    CHECK(f.smtp.jobs()[0].message->body == nullptr);
    CHECK(f.is_gone(id));
}

TEST_CASE("a lost announcement is found within a minute", "[queue][refill]") {
    QueueFixture f;
    f.start();
    const auto id = f.commit("bob@example.net", {"carol@example.org"});

    f.lane.advance(seconds(59));
    CHECK(f.smtp.attempts(id) == 0);
    f.lane.advance(seconds(1));
    CHECK(f.smtp.attempts(id) == 1);
}

TEST_CASE(
    "an announcement later than the read that found the message is ignored", "[queue][refill]") {
    QueueFixture f;
    auto message = f.make_message("bob@example.net", {"carol@example.org"});
    const auto id = message.id;
    f.put(message);
    f.start();
    REQUIRE(f.smtp.attempts(id) == 1);

    f.manager->announce(std::make_shared<const QueuedMessage>(message));
    f.lane.poll();

    CHECK(f.smtp.attempts(id) == 1);
}

TEST_CASE(
    "a message that finished while a read was under way is not taken again", "[queue][refill]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    auto message = f.make_message("bob@example.net", {"carol@example.org"});
    const auto id = message.id;
    f.put(message);
    f.manager->announce(std::make_shared<const QueuedMessage>(message));
    f.lane.poll();
    REQUIRE(f.smtp.running() == 1);
    f.gated().hold_reads(true);
    f.lane.advance(minutes(1));
    REQUIRE(f.gated().waiting() > 0);

    f.smtp.hold(false);
    f.lane.poll();
    REQUIRE(f.is_gone(id));
    f.gated().hold_reads(false);
    f.lane.advance(minutes(5));

    CHECK(f.smtp.attempts(id) == 1);
}

TEST_CASE("a message deferred while a read was under way keeps its time", "[queue][refill]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    const auto id = f.send("bob@example.net", {"carol@example.org"});
    f.gated().hold_reads(true);
    f.lane.advance(minutes(1));
    REQUIRE(f.gated().waiting() > 0);

    f.smtp.hold(false);
    f.lane.poll();
    f.gated().hold_reads(false);
    f.lane.advance(minutes(14));
    CHECK(f.smtp.attempts(id) == 1);

    f.lane.advance(minutes(1));
    CHECK(f.smtp.attempts(id) == 2);
}

TEST_CASE("a message that runs is not taken a second time by a read", "[queue][refill]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    const auto id = f.send("bob@example.net", {"carol@example.org"});

    f.lane.advance(minutes(10));

    CHECK(f.smtp.attempts(id) == 1);
}

TEST_CASE("a page that the store clipped is not taken for the last", "[queue][refill]") {
    QueueFixture f;
    f.limits.first_window = 20;
    f.start();
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    for (int i = 0; i < 20; ++i) {
        f.send("bob@example.net", {"carol@example.org"});
    }
    f.smtp.forget();
    f.smtp.answer_with(report_delivered);

    f.gated().due_page = 3;
    f.lane.advance(minutes(15));

    // At the moment they are due, not at the next look.
    check_each_once(f, 20);
    CHECK(f.store.messages().empty());
}

TEST_CASE("behind a clipped page that led to no attempt the next one is read", "[queue][refill]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    std::vector<QueueId> ids;
    for (int i = 0; i < 20; ++i) {
        ids.push_back(f.send("bob@example.net", {"carol@example.org"}));
    }

    f.organization.send_connectors.clear();
    f.reconfigure();
    f.gated().due_page = 3;
    f.lane.advance(minutes(15));

    for (const auto id : ids) {
        CHECK(f.row(id).next_hop == "unreachable||");
    }
}

TEST_CASE(
    "of 50,000 waiting messages no more than the limit is ever in memory", "[queue][refill]") {
    QueueFixture f;
    f.limits.active_rows = 400;
    f.limits.page = 50;
    const auto message = f.make_message("bob@example.net", {"carol@example.org"});
    const int count = 50'000;
    for (int i = 0; i < count; ++i) {
        auto copy = message;
        copy.id = f.ids.next();
        const auto to = "u@d" + std::to_string(i % 50) + ".example";
        copy.recipients[0].address = EmailAddress::parse(to).value();
        f.put(std::move(copy));
    }

    f.smtp.hold(true);
    f.start();
    CHECK(f.manager->statistics().rows > 200);
    CHECK(f.manager->statistics().highest_rows <= 400);
    f.smtp.hold(false);
    f.lane.advance(minutes(3));

    CHECK(f.manager->statistics().highest_rows <= 400);
    CHECK(f.store.messages().empty());
    check_each_once(f, count);
}

TEST_CASE("announcements beyond the limit wait on disk and follow", "[queue][refill]") {
    QueueFixture f;
    f.limits.active_rows = 100;
    f.start();
    f.smtp.hold(true);
    for (int i = 0; i < 500; ++i) {
        f.send("bob@example.net", {"carol@example.org"});
    }
    CHECK(f.manager->statistics().highest_rows <= 100);

    f.smtp.hold(false);
    f.lane.poll();

    CHECK(f.store.messages().empty());
    CHECK(f.manager->statistics().highest_rows <= 100);
    check_each_once(f, 500);
}

TEST_CASE("a hop that is full does not keep mail from others", "[queue][refill]") {
    QueueFixture f;
    f.limits.active_rows = 100;
    f.start();
    f.smtp.hold(true);
    for (int i = 0; i < 300; ++i) {
        f.send("bob@example.net", {"carol@slow.example"});
    }

    const auto id = f.send("bob@example.net", {"dan@quick.example"});

    CHECK(f.smtp.attempts(id) == 1);
}

TEST_CASE("waiting mail of another hop behind a full one is found", "[queue][refill]") {
    QueueFixture f;
    f.limits.first_window = 1;
    f.limits.widest_window = 1;
    f.limits.messages_per_connection = 2;
    f.limits.page = 10;
    for (int i = 0; i < 200; ++i) {
        f.commit("bob@example.net", {"carol@slow.example"});
    }
    const auto id = f.commit("bob@example.net", {"dan@quick.example"});
    f.smtp.hold(true);

    f.start();

    CHECK(f.smtp.attempts(id) == 1);
    f.smtp.hold(false);
    f.lane.advance(minutes(1));
    CHECK(f.store.messages().empty());
    check_each_once(f, 201);
}

TEST_CASE("bodies in memory keep to their budget", "[queue][refill]") {
    QueueFixture f;
    f.limits.body_bytes = 60;
    f.start();
    f.smtp.hold(true);

    f.send("bob@example.net", {"carol@a.example"});
    f.send("bob@example.net", {"carol@b.example"});

    REQUIRE(f.smtp.jobs().size() == 2);
    CHECK(f.smtp.jobs()[0].message->body != nullptr);
    CHECK(f.smtp.jobs()[1].message->body == nullptr);
}

TEST_CASE("a restart repeats what ran and honours what was deferred", "[queue][refill]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    const auto deferred = f.send("bob@example.net", {"carol@example.org"});
    f.smtp.answer_with(report_delivered);
    f.smtp.hold(true);
    const auto ran = f.send("bob@example.net", {"dan@example.com"});
    REQUIRE(f.smtp.attempts(ran) == 1);

    f.smtp.forget();
    f.restart();

    CHECK(f.smtp.attempts(ran) == 1);
    CHECK(f.smtp.attempts(deferred) == 0);
    f.smtp.hold(false);
    f.lane.advance(minutes(15));
    CHECK(f.smtp.attempts(deferred) == 1);
    CHECK(f.store.messages().empty());
}

TEST_CASE("a power loss after an unsynced mark repeats the delivery, once", "[queue][refill]") {
    QueueFixture f;
    f.start();
    const auto id = f.send("bob@example.net", {"carol@example.org"});
    REQUIRE(f.is_gone(id));

    f.restart(true);

    CHECK(f.smtp.attempts(id) == 2);
    CHECK(f.is_gone(id));
}

TEST_CASE("after a restart overdue hops are spread over their pause", "[queue][refill]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto&) { return report_hop_failure("connection refused"); });
    for (int i = 0; i < 30; ++i) {
        const auto to = "u@d" + std::to_string(i) + ".example";
        f.send("bob@example.net", {to});
    }
    f.smtp.forget();
    f.lane.clock.advance(hours(10));

    f.restart();
    CHECK(f.smtp.jobs().size() < 10);
    f.lane.advance(minutes(5));

    CHECK(f.smtp.jobs().size() >= 30);
}

TEST_CASE("a hop that was failing before a restart is known after it", "[queue][refill]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto&) { return report_hop_failure("connection refused"); });
    f.send("bob@example.net", {"carol@example.org"});
    f.smtp.forget();

    f.restart();
    const auto id = f.send("bob@example.net", {"dan@example.org"});

    CHECK(f.smtp.attempts(id) == 0);
    CHECK(f.row(id).last->diagnostic == "connection refused");
}

}  // namespace

}  // namespace mailflow
