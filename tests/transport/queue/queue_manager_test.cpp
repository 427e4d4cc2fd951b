#include "transport/queue/queue_manager.hpp"

#include "tests/transport/queue/queue_fixture.hpp"

#include <chrono>

namespace mailflow {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_CASE("an announced message is delivered at once and retired", "[queue][manager]") {
    QueueFixture f;
    f.start();

    const auto id = f.send("bob@example.net", {"carol@example.org"});

    REQUIRE(f.smtp.jobs().size() == 1);
    CHECK(f.smtp.jobs()[0].hop.key() == "dns|example.org|Internet");
    CHECK(f.smtp.jobs()[0].message->body != nullptr);
    CHECK(f.is_gone(id));
    CHECK(f.manager->statistics().messages == 0);
    REQUIRE(f.tracking.count(TrackingEventId::send) == 1);
    const auto& event = f.tracking.events().back();
    CHECK(event.remote == "mx1.example.org [192.0.2.1]:25");
    CHECK(event.status == "2.0.0");
    CHECK(event.detail == "250 2.0.0 OK");
    CHECK(event.recipients == std::vector<std::string>{"carol@example.org"});
}

TEST_CASE("what a mailbox server takes has been delivered, not sent", "[queue][manager]") {
    const auto kind = GENERATE(DeliveryTarget::Kind::lmtp, DeliveryTarget::Kind::smtp);
    QueueFixture f;
    f.start();
    auto message = f.make_message("bob@example.net", {"alice@contoso.com", "carol@example.org"});
    message.recipients[0].place = {kind, "store.example:24"};
    f.put(message);

    f.manager->announce(std::make_shared<const QueuedMessage>(std::move(message)));
    f.lane.poll();

    CHECK(f.smtp.jobs().size() == 2);
    CHECK(f.tracking.count(TrackingEventId::deliver) == 1);
    CHECK(f.tracking.count(TrackingEventId::send) == 1);
}

TEST_CASE("a message delivered at once costs one change", "[queue][manager]") {
    QueueFixture f;
    f.start();

    f.send("bob@example.net", {"carol@example.org", "dan@example.org"});

    CHECK(f.gated().recorded() == 1);
}

TEST_CASE("recipients are split by next hop, mailboxes go to the local agent", "[queue][manager]") {
    QueueFixture f;
    f.start();

    const auto id = f.send(
        "bob@example.net",
        {"carol@example.org", "alice@contoso.com", "dan@example.com", "eve@example.org"});

    REQUIRE(f.smtp.jobs().size() == 2);
    CHECK(f.smtp.jobs()[0].recipients == std::vector<std::uint32_t>{0, 3});
    CHECK(f.smtp.jobs()[1].recipients == std::vector<std::uint32_t>{2});
    REQUIRE(f.mailbox.jobs().size() == 1);
    CHECK(f.mailbox.jobs()[0].recipients == std::vector<std::uint32_t>{1});
    CHECK(f.tracking.count(TrackingEventId::deliver) == 1);
    CHECK(f.tracking.count(TrackingEventId::send) == 2);
    CHECK(f.is_gone(id));
}

TEST_CASE(
    "a recipient refused with 4xx is tried again after message_retry_interval",
    "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with(
        [](const auto& job) { return report_deferred(job, "451 4.2.0 Greylisted"); });

    const auto id = f.send("bob@example.net", {"carol@example.org"});

    CHECK(f.row(id).state == RecipientState::deferred);
    CHECK(f.row(id).next_hop == "dns|example.org|Internet");
    CHECK(f.row(id).attempts == 1);
    CHECK(f.row(id).last->diagnostic == "451 4.2.0 Greylisted");
    CHECK(f.row(id).due == f.lane.clock.now() + minutes(15));
    CHECK(f.manager->statistics().rows == 0);
    CHECK(f.tracking.count(TrackingEventId::defer) == 1);

    f.lane.advance(minutes(15) - Duration(1));
    CHECK(f.smtp.attempts(id) == 1);
    f.smtp.answer_with(report_delivered);
    f.lane.advance(Duration(1));
    CHECK(f.smtp.attempts(id) == 2);
    CHECK(f.is_gone(id));
}

TEST_CASE("each recipient of a message has its own outcome", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const DeliveryJob& job) {
        auto report = report_delivered(job);
        report.recipients[1].status = report_deferred(job, "452 4.2.2 Full").recipients[1].status;
        return report;
    });

    const auto id = f.send("bob@example.net", {"carol@example.org", "dan@example.org"});

    CHECK(f.row(id, 0).state == RecipientState::delivered);
    CHECK(f.row(id, 1).state == RecipientState::deferred);
    f.smtp.answer_with(report_delivered);
    f.lane.advance(minutes(15));
    CHECK(f.smtp.attempts(id, 0) == 1);
    CHECK(f.smtp.attempts(id, 1) == 2);
    CHECK(f.is_gone(id));
}

TEST_CASE("a dead next hop is retried by the ladder, not by its recipients", "[queue][manager]") {
    QueueFixture f;
    f.start();
    const auto began = f.lane.clock.now();
    std::vector<UtcTime> tried;
    f.smtp.answer_with([&](const auto&) {
        tried.push_back(f.lane.clock.now());
        return report_hop_failure("connection refused");
    });

    const auto id = f.send("bob@example.net", {"carol@example.org"});
    f.lane.advance(hours(1));

    const std::vector<Duration> pauses = {
        minutes(1),
        minutes(1),
        minutes(1),
        minutes(1),
        minutes(5),
        minutes(5),
        minutes(5),
        minutes(5),
        minutes(5),
        minutes(5),
        minutes(10)};
    REQUIRE(tried.size() > pauses.size());
    CHECK(tried[0] == began);
    for (std::size_t i = 0; i < pauses.size(); ++i) {
        const auto pause = tried[i + 1] - tried[i];
        CAPTURE(i, pause.count());
        CHECK(pause >= pauses[i]);
        CHECK(pause <= pauses[i] + pauses[i] / 10);
    }
    CHECK(f.row(id).last->diagnostic == "connection refused");
    CHECK(f.row(id).attempts == tried.size());
}

TEST_CASE(
    "new mail for a hop in retry waits with it and leaves when it answers", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto&) { return report_hop_failure("connection refused"); });
    f.send("bob@example.net", {"carol@example.org"});

    const auto id = f.send("bob@example.net", {"dan@example.org"});

    CHECK(f.smtp.attempts(id) == 0);
    CHECK(f.row(id).state == RecipientState::deferred);
    CHECK(f.row(id).last->diagnostic == "connection refused");
    f.smtp.answer_with(report_delivered);
    f.lane.advance(seconds(66));
    CHECK(f.smtp.attempts(id) == 1);
    CHECK(f.store.messages().empty());
    CHECK(f.manager->queues().at("dns|example.org|Internet").state().attempts == 0);
}

TEST_CASE(
    "a failed hop moves its retry state once, however many attempts it failed",
    "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    f.smtp.answer_with([](const auto&) { return report_hop_failure("connection refused"); });
    for (int i = 0; i < 20; ++i) {
        f.send("bob@example.net", {"carol@example.org"});
    }
    REQUIRE(f.smtp.running() == 5);

    f.smtp.hold(false);
    f.lane.poll();

    CHECK(f.manager->queues().at("dns|example.org|Internet").state().attempts == 1);
    CHECK(f.smtp.jobs().size() == 5);
    for (const auto& [id, message] : f.store.messages()) {
        CHECK(message.recipients[0].state == RecipientState::deferred);
    }
    CHECK(f.manager->statistics().rows == 0);
}

TEST_CASE("attempts at a hop keep to its window, which successes open", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    for (int i = 0; i < 40; ++i) {
        f.send("bob@example.net", {"carol@example.org"});
    }
    REQUIRE(f.smtp.running() == 5);

    f.smtp.release_one();
    f.lane.poll();
    CHECK(f.smtp.running() == 6);

    f.smtp.hold(false);
    f.lane.poll();
    CHECK(f.store.messages().empty());
    CHECK(f.smtp.most_running() <= 20);
}

TEST_CASE("attempts of all hops together keep to their limit", "[queue][manager]") {
    QueueFixture f;
    f.limits.running = 3;
    f.start();
    f.smtp.hold(true);
    for (const auto* to :
         {"a@a.example", "b@b.example", "c@c.example", "d@d.example", "e@e.example"}) {
        f.send("bob@example.net", {to});
    }

    CHECK(f.smtp.running() == 3);
    f.smtp.hold(false);
    f.lane.poll();
    CHECK(f.smtp.most_running() == 3);
    CHECK(f.store.messages().empty());
}

TEST_CASE("failing hops take a part of the attempts only", "[queue][manager]") {
    QueueFixture f;
    f.limits.running = 4;
    f.limits.running_at_failing = 2;
    f.start();
    f.smtp.answer_with([](const auto&) { return report_hop_failure("timed out"); });
    for (const auto* to : {"a@a.example", "b@b.example", "c@c.example"}) {
        f.send("bob@example.net", {to});
    }
    f.smtp.hold(true);
    f.lane.advance(seconds(70));
    REQUIRE(f.smtp.running() == 2);

    const auto id = f.send("bob@example.net", {"d@d.example"});
    CHECK(f.smtp.attempts(id) == 1);
    f.smtp.hold(false);
    f.lane.poll();
    CHECK(f.smtp.jobs().size() == 7);
}

TEST_CASE("a hop that breaks off keeps what it said before", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const DeliveryJob& job) {
        auto report = report_delivered(job);
        report.recipients.pop_back();
        report.hop_failure = report_hop_failure("connection reset").hop_failure;
        return report;
    });

    const auto id = f.send("bob@example.net", {"carol@example.org", "dan@example.org"});

    CHECK(f.row(id, 0).state == RecipientState::delivered);
    CHECK(f.row(id, 1).state == RecipientState::deferred);
    CHECK(f.row(id, 1).due == f.lane.clock.now());
    CHECK(f.manager->queues().at("dns|example.org|Internet").state().attempts == 1);
}

TEST_CASE("deliveries spread over lanes and come back to the queue's", "[queue][manager]") {
    QueueFixture f;
    Lane second({f.lane.context, f.lane.clock, f.lane.random, Log(), 1, false});
    RecordingAgent there;
    f.agents.push_back({&second, &there, &there});
    f.start();
    f.smtp.hold(true);

    for (int i = 0; i < 4; ++i) {
        f.send("bob@example.net", {"carol@example.org"});
    }

    CHECK(f.smtp.jobs().size() == 1);
    CHECK(there.jobs().size() == 3);
    f.smtp.hold(false);
    f.lane.poll();
    CHECK(f.store.messages().empty());
}

TEST_CASE("an agent that throws defers its recipients", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto&) -> DeliveryReport { throw std::logic_error("broken"); });

    const auto id = f.send("bob@example.net", {"carol@example.org"});

    CHECK(f.row(id).state == RecipientState::deferred);
    CHECK(f.row(id).last->diagnostic == "internal error: broken");
}

TEST_CASE("a report that forgets a recipient defers it", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto& job) {
        auto report = report_delivered(job);
        report.recipients.pop_back();
        return report;
    });

    const auto id = f.send("bob@example.net", {"carol@example.org", "dan@example.org"});

    CHECK(f.row(id, 0).state == RecipientState::delivered);
    CHECK(f.row(id, 1).state == RecipientState::deferred);
}

TEST_CASE("retry now tries a hop whose time has not come", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto&) { return report_hop_failure("connection refused"); });
    const auto id = f.send("bob@example.net", {"carol@example.org"});
    f.smtp.answer_with(report_delivered);

    const auto count = f.lane.run(f.manager->retry_now("dns|example.org|Internet"));
    f.lane.poll();

    CHECK(count.value() == 1);
    CHECK(f.smtp.attempts(id) == 2);
    CHECK(f.is_gone(id));
}

TEST_CASE("retry now also brings recipients that wait for their own time", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    const auto id = f.send("bob@example.net", {"carol@example.org"});
    const auto other = f.send("bob@example.net", {"dan@example.com"});
    f.smtp.answer_with(report_delivered);

    SECTION("of one hop") {
        CHECK(f.lane.run(f.manager->retry_now("dns|example.org|Internet")).value() == 1);
        f.lane.poll();
        CHECK(f.is_gone(id));
        CHECK_FALSE(f.is_gone(other));
    }
    SECTION("of all hops") {
        CHECK(f.lane.run(f.manager->retry_now("")).value() == 2);
        f.lane.poll();
        CHECK(f.store.messages().empty());
    }
    SECTION("of one message") {
        CHECK(f.lane.run(f.manager->retry_message(other)));
        f.lane.poll();
        CHECK(f.is_gone(other));
        CHECK_FALSE(f.is_gone(id));
    }
}

TEST_CASE("a held message rests until it is released", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    const auto id = f.send("bob@example.net", {"carol@example.org"});

    REQUIRE(f.lane.run(f.manager->hold(id, true)));
    f.lane.advance(hours(24 * 6));
    CHECK(f.smtp.attempts(id) == 1);
    CHECK(f.row(id).state == RecipientState::held);
    CHECK(f.reports() == 0);

    f.smtp.answer_with(report_delivered);
    REQUIRE(f.lane.run(f.manager->hold(id, false)));
    f.lane.poll();
    CHECK(f.smtp.attempts(id) == 2);
    CHECK(f.is_gone(id));
}

TEST_CASE(
    "a message held while an attempt runs stays held when the attempt is deferred",
    "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    const auto id = f.send("bob@example.net", {"carol@example.org"});

    REQUIRE(f.lane.run(f.manager->hold(id, true)));
    f.smtp.hold(false);
    f.lane.advance(hours(1));

    CHECK(f.smtp.attempts(id) == 1);
    CHECK(f.row(id).state == RecipientState::held);
    CHECK(f.row(id).last->diagnostic == "451 later");
}

TEST_CASE("a removed message goes, with or without a report", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    const auto id = f.send("alice@contoso.com", {"carol@example.org"});
    const bool with_report = GENERATE(false, true);

    REQUIRE(f.lane.run(f.manager->remove(id, with_report)));
    f.lane.poll();

    CHECK(f.is_gone(id));
    CHECK(f.reports() == (with_report ? 1 : 0));
    CHECK(f.tracking.count(TrackingEventId::remove) == 1);
    CHECK(f.mailbox.jobs().size() == (with_report ? 1 : 0));
    CHECK(f.lane.run(f.manager->remove(id, false)).error() == Error::not_found);
}

TEST_CASE(
    "a message removed while it runs is delivered if the attempt delivers", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    const auto id = f.send("alice@contoso.com", {"carol@example.org"});
    const bool delivers = GENERATE(false, true);
    if (!delivers) {
        f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    }

    REQUIRE(f.lane.run(f.manager->remove(id, false)));
    CHECK_FALSE(f.is_gone(id));
    f.smtp.hold(false);
    f.lane.poll();

    CHECK(f.is_gone(id));
    CHECK(f.tracking.count(TrackingEventId::send) == (delivers ? 1 : 0));
    CHECK(f.reports() == 0);
}

TEST_CASE("stop begins nothing new and waits for what runs", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    f.send("bob@example.net", {"carol@example.org"});
    bool is_stopped = false;
    const auto stopper = [](QueueManager* manager, bool* done) -> Task<void> {
        co_await manager->stop(seconds(30));
        *done = true;
    };
    f.lane.lane.spawn("stop", stopper(f.manager.get(), &is_stopped));
    f.lane.poll();

    const auto late = f.send("bob@example.net", {"dan@example.org"});
    CHECK_FALSE(is_stopped);
    CHECK(f.smtp.attempts(late) == 0);

    f.smtp.hold(false);
    f.lane.poll();
    CHECK(is_stopped);
    CHECK(f.store.messages().size() == 1);
    CHECK(f.lane.clock.now() - UtcTime(Duration(1'767'614'400'000)) < seconds(30));
}

TEST_CASE("stop gives up on attempts that do not end", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    f.send("bob@example.net", {"carol@example.org"});
    const auto began = f.lane.clock.now();

    f.lane.run(f.manager->stop(seconds(30)));

    CHECK(f.passed_since(began) == seconds(30));
}

TEST_CASE("a store that failed stops dispatch", "[queue][manager]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto& job) { return report_failed(job, "550 5.1.1 no"); });
    f.gated().report_error = Error::store_failed;
    f.send("alice@contoso.com", {"carol@example.org"});
    REQUIRE(f.manager->has_store_failed());

    const auto id = f.send("bob@example.net", {"dan@example.org"});

    CHECK(f.smtp.attempts(id) == 0);
}

#ifdef MAILFLOW_MUTANTS
TEST_CASE("the mutant lost-announce delivers nothing", "[queue][manager]") {
    QueueFixture f;
    QueueManager mutant(
        {.lane = f.lane.lane,
         .store = f.store,
         .bodies = f.bodies,
         .tracking = f.tracking,
         .directory = f.directory,
         .ids = f.ids,
         .organization = std::make_shared<const Organization>(f.organization),
         .lanes = {{&f.lane.lane, &f.mailbox, &f.smtp}},
         .limits = {},
         .lost_announce = true});
    mutant.start();

    auto message = f.make_message("bob@example.net", {"carol@example.org"});
    f.put(message);
    mutant.announce(std::make_shared<const QueuedMessage>(message));
    f.lane.advance(hours(1));

    CHECK(f.smtp.jobs().empty());
}
#endif

}  // namespace

}  // namespace mailflow
