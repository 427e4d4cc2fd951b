// What a sender asked for besides reports: a later release (RFC 4865), a time to deliver by (RFC
// 2852), a priority (RFC 6710).
#include "tests/transport/queue/sender_requests.hpp"
#include "transport/queue/queue_admin.hpp"

#include <chrono>

namespace mailflow {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// ---- RFC 4865

TEST_CASE("RFC 4865: a message is not sent before its release", "[queue][release]") {
    QueueFixture f;
    f.start();

    const auto id = send(f, {"carol@example.org"}, release_in(f, hours(24)));
    CHECK(f.row(id).state == RecipientState::deferred);
    CHECK(f.row(id).next_hop == "future-release||");
    f.lane.advance(hours(24) - seconds(1));
    CHECK(f.smtp.jobs().empty());
    CHECK(f.reports() == 0);

    f.lane.advance(seconds(1));

    CHECK(f.smtp.attempts(id) == 1);
    CHECK(f.is_gone(id));
}

TEST_CASE(
    "RFC 4865: a release survives a crash before and after it was noted", "[queue][release]") {
    QueueFixture f;
    const bool is_noted = GENERATE(false, true);
    f.start();
    const auto id = send(f, {"carol@example.org"}, release_in(f, hours(24)));
    f.lane.advance(hours(1));
    if (is_noted) {
        REQUIRE(f.lane.run(f.store.flush()));
    }

    f.restart(true);
    f.lane.advance(hours(23) - seconds(1));
    CHECK(f.smtp.jobs().empty());
    f.lane.advance(seconds(1));

    CHECK(f.smtp.attempts(id) == 1);
}

TEST_CASE("RFC 4865: a message whose release passed while we were down goes at once", "[queue]") {
    QueueFixture f;
    f.start();
    const auto id = send(f, {"carol@example.org"}, release_in(f, hours(24)));
    f.lane.clock.advance(hours(30));

    f.restart();

    CHECK(f.smtp.attempts(id) == 1);
}

TEST_CASE("RFC 4865: recipients committed as waiting are not written again", "[queue][release]") {
    QueueFixture f;
    f.start();
    const auto release = f.lane.clock.now() + hours(2);

    const auto id = send(f, {"carol@example.org"}, [&](QueuedMessage& message) {
        message.envelope.release = release;
        message.recipients[0].state = RecipientState::deferred;
        message.recipients[0].next_hop = NextHop::future_release().key();
        message.recipients[0].due = release;
    });

    CHECK(f.gated().recorded() == 0);
    f.lane.advance(hours(2));
    CHECK(f.smtp.attempts(id) == 1);
}

TEST_CASE("RFC 4865: the clocks of delay and expiry start at the release", "[queue][release]") {
    QueueFixture f;
    const bool restarts = GENERATE(false, true);
    f.start();
    f.smtp.answer_with(put_off);
    const auto id = send(f, {"carol@example.org"}, release_in(f, hours(24 * 10)));
    f.lane.advance(hours(24 * 10) + minutes(1));
    REQUIRE(f.smtp.attempts(id) == 1);
    if (restarts) {
        f.restart();
    }

    f.lane.advance(hours(4) - minutes(2));
    CHECK(f.reports() == 0);
    f.lane.advance(minutes(2));
    CHECK(reports_of(f, "Delivery delayed").size() == 1);

    f.lane.advance(hours(116) - minutes(2));
    CHECK_FALSE(f.is_gone(id));
    f.lane.advance(minutes(3));
    CHECK(f.is_gone(id));
    CHECK(reports_of(f, "Undeliverable").size() == 1);
    CHECK(f.reports() == 2);
}

TEST_CASE("RFC 4865: many messages of one release do not wait for each other", "[queue][release]") {
    QueueFixture f;
    f.limits.active_rows = 100;
    f.start();
    for (int i = 0; i < 500; ++i) {
        send(f, {"carol@example.org"}, release_in(f, hours(1)));
    }

    f.lane.advance(hours(1));

    CHECK(f.smtp.jobs().size() == 500);
    CHECK(f.store.messages().empty());
    CHECK(f.manager->statistics().highest_rows <= 100);
}

TEST_CASE("RFC 4865: removing a message cancels its release", "[queue][release]") {
    QueueFixture f;
    f.start();
    const auto id = send(f, {"carol@example.org"}, release_in(f, hours(1)));

    REQUIRE(f.lane.run(f.manager->remove(id, false)));
    f.lane.advance(hours(2));

    CHECK(f.is_gone(id));
    CHECK(f.smtp.jobs().empty());
    CHECK(f.reports() == 0);
}

TEST_CASE("RFC 4865: no command sends a message before its release", "[queue][release]") {
    QueueFixture f;
    f.start();
    const auto id = send(f, {"carol@example.org"}, release_in(f, hours(1)));

    REQUIRE(f.lane.run(f.manager->retry_now({})));
    REQUIRE(f.lane.run(f.manager->retry_message(id)));
    REQUIRE(f.lane.run(f.manager->hold(id, true)));
    REQUIRE(f.lane.run(f.manager->hold(id, false)));
    f.lane.advance(minutes(59));
    CHECK(f.smtp.jobs().empty());

    f.lane.advance(minutes(1));
    CHECK(f.smtp.attempts(id) == 1);
}

TEST_CASE("RFC 4865: administrators see when a message is released", "[queue][release]") {
    QueueFixture f;
    f.start();
    QueueAdmin admin(*f.manager, f.store, f.bodies);
    const auto release = f.lane.clock.now() + hours(1);
    const auto id = send(f, {"carol@example.org"}, release_in(f, hours(1)));

    const auto queues = f.lane.run(admin.list_queues()).value();
    REQUIRE(queues.size() == 1);
    CHECK(queues[0].key == "future-release||");
    CHECK(queues[0].message_count == 1);
    CHECK(queues[0].next_retry == release);
    const auto shown = f.lane.run(admin.find_message(id)).value();
    CHECK(shown.release == release);
    CHECK(shown.expires == release + hours(120));
    CHECK(shown.recipients[0].status == RecipientStatus::scheduled);
    CHECK(shown.recipients[0].next_attempt == release);
}

// ---- RFC 2852

TEST_CASE("RFC 2852: a late message of mode R is returned at its deadline", "[queue][by]") {
    QueueFixture f;
    const bool restarts = GENERATE(false, true);
    f.organization.transport.queue_glitch_retry_interval = hours(1000);
    f.start();
    f.smtp.answer_with([](const DeliveryJob&) { return report_hop_failure("refused"); });
    const auto id = send(f, {"carol@example.org"}, deliver_by(1000, true));
    if (restarts) {
        f.restart();
    }

    f.lane.advance(seconds(999));
    CHECK_FALSE(f.is_gone(id));
    f.lane.advance(seconds(1));

    CHECK(f.is_gone(id));
    const auto reports = reports_of(f, "Undeliverable");
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].find("Status: 5.4.7") != std::string::npos);
    CHECK(reports[0].find("Deliver-By-Date: ") != std::string::npos);
    CHECK(f.reports() == 1);
}

TEST_CASE("RFC 2852: what waits in memory is returned, what runs may end", "[queue][by]") {
    QueueFixture f;
    f.limits.first_window = 1;
    f.start();
    f.smtp.hold(true);
    const auto running = send(f, {"a@example.org"}, deliver_by(60, true));
    const auto waiting = send(f, {"b@example.org"}, deliver_by(60, true));

    f.lane.advance(minutes(1));
    CHECK(f.is_gone(waiting));
    CHECK_FALSE(f.is_gone(running));
    f.smtp.hold(false);
    f.lane.poll();

    CHECK(f.is_gone(running));
    CHECK(f.smtp.attempts(waiting) == 0);
    CHECK(reports_of(f, "Undeliverable").size() == 1);
    CHECK(reports_of(f, "Relayed").size() == 1);  // the double knows no DELIVERBY
}

TEST_CASE("RFC 2852: an attempt that ends late and in vain is the last", "[queue][by]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    f.smtp.answer_with(put_off);
    const auto id = send(f, {"carol@example.org"}, deliver_by(60, true));
    f.lane.advance(minutes(2));
    REQUIRE_FALSE(f.is_gone(id));

    f.smtp.hold(false);
    f.lane.poll();

    CHECK(f.is_gone(id));
    CHECK(reports_of(f, "Undeliverable").size() == 1);
}

TEST_CASE("RFC 2852: a late message of mode N is told once and goes on", "[queue][by]") {
    QueueFixture f;
    const bool restarts = GENERATE(false, true);
    f.start();
    f.smtp.answer_with([](const DeliveryJob&) { return report_hop_failure("refused"); });
    const auto id = send(f, {"carol@example.org"}, deliver_by(1000, false));
    if (restarts) {
        f.restart();
    }

    f.lane.advance(seconds(999));
    CHECK(f.reports() == 0);
    f.lane.advance(seconds(1));
    CHECK(reports_of(f, "Delivery delayed").size() == 1);
    CHECK(f.row(id).delay_notified);

    f.restart();
    f.lane.advance(hours(10));
    CHECK(f.reports() == 1);
    f.smtp.answer_with(pass_on);
    f.lane.advance(hours(1));
    CHECK(f.is_gone(id));
    CHECK(f.reports() == 1);
}

TEST_CASE("RFC 2852: the notice of mode N does not wait for an attempt", "[queue][by]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    send(f, {"carol@example.org"}, deliver_by(60, false));

    f.lane.advance(minutes(1));

    CHECK(f.smtp.running() == 1);
    CHECK(reports_of(f, "Delivery delayed").size() == 1);
}

TEST_CASE("deadlines beyond what memory keeps are found when they come", "[queue][by]") {
    QueueFixture f;
    f.limits.appointments = 5;
    f.start();
    f.smtp.answer_with(put_off);
    for (int i = 0; i < 30; ++i) {
        send(f, {"carol@example.org"}, deliver_by(600 + i, true));
    }

    f.lane.advance(seconds(700));

    CHECK(f.store.messages().empty());
    CHECK(reports_of(f, "Undeliverable").size() == 30);
}

TEST_CASE("a held message is late only when it is released", "[queue][by]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with(put_off);
    const auto id = send(f, {"carol@example.org"}, deliver_by(60, true));
    REQUIRE(f.lane.run(f.manager->hold(id, true)));
    f.lane.advance(hours(1));
    REQUIRE_FALSE(f.is_gone(id));

    REQUIRE(f.lane.run(f.manager->hold(id, false)));
    f.lane.poll();

    CHECK(f.is_gone(id));
    CHECK(reports_of(f, "Undeliverable").size() == 1);
}

// ---- RFC 6710

TEST_CASE("RFC 6710: priority orders what waits for a hop and starves nobody", "[queue][hop]") {
    QueueFixture f;
    f.limits.first_window = 1;
    f.limits.widest_window = 1;
    f.start();
    f.smtp.hold(true);
    send(f, {"first@example.org"}, [](QueuedMessage&) {});
    const auto with = [](int priority) {
        return [priority](QueuedMessage& message) {
            message.envelope.priority = static_cast<std::int8_t>(priority);
        };
    };
    const auto bulk = send(f, {"bulk@example.org"}, with(-4));
    for (int i = 0; i < 10; ++i) {
        send(f, {"normal@example.org"}, with(0));
    }
    for (int i = 0; i < 10; ++i) {
        send(f, {"urgent@example.org"}, with(4));
    }

    f.smtp.hold(false);
    f.lane.poll();

    std::string order;
    for (const auto& job : f.smtp.jobs()) {
        order += job.message->recipients[0].address.local().front();
    }
    CHECK(order == "fuuuunuuubunuunnnnnnnn");
    CHECK(f.is_gone(bulk));
}

}  // namespace

}  // namespace mailflow
