// What age, configuration and the minute do: expiry, delay notices, reports that are owed, the
// Unreachable queue.
#include "tests/transport/queue/queue_fixture.hpp"

#include <chrono>

namespace mailflow {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

DeliveryReport refuse(const DeliveryJob&) {
    return report_hop_failure("connection refused");
}

std::size_t count_reports(const QueueFixture& f, std::string_view subject) {
    std::size_t count = 0;
    for (const auto& job : f.mailbox.jobs()) {
        const auto& message = *job.message;
        count +=
            message.origin.connector == "DSN" && message.content.facts.subject.starts_with(subject)
                ? 1U
                : 0U;
    }
    return count;
}

TEST_CASE("a message expires after its time and its sender is told", "[queue][sweep]") {
    QueueFixture f;
    f.organization.transport.delay_dsn_enabled = false;
    f.start();
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 4.7.1 Not today"); });
    const auto id = f.send("alice@contoso.com", {"carol@example.org"});

    f.lane.advance(hours(120) - minutes(1));
    CHECK_FALSE(f.is_gone(id));
    CHECK(f.mailbox.jobs().empty());
    f.lane.advance(minutes(2));

    CHECK(f.is_gone(id));
    REQUIRE(f.mailbox.jobs().size() == 1);
    const auto& report = *f.mailbox.jobs()[0].message;
    CHECK(report.envelope.reverse_path.is_null());
    CHECK(report.body->find("4.4.7") != std::string::npos);
    CHECK(report.body->find("451 4.7.1 Not today") != std::string::npos);
}

TEST_CASE("messages of a dead hop expire although it is never tried again", "[queue][sweep]") {
    QueueFixture f;
    f.organization.transport.delay_dsn_enabled = false;
    f.organization.transport.dsn_rate_limit.reset();
    f.organization.transport.queue_glitch_retry_interval = hours(1000);
    f.organization.transport.long_retry_interval = hours(1000);
    f.limits.active_rows = 100;
    f.start();
    f.smtp.answer_with(refuse);
    for (int i = 0; i < 300; ++i) {
        f.send("alice@contoso.com", {"carol@example.org"});
    }

    f.lane.advance(hours(120) + minutes(2));

    CHECK(f.store.messages().empty());
    CHECK(count_reports(f, "Undeliverable") == 300);
    CHECK(f.manager->statistics().highest_rows <= 100);
    CHECK(f.smtp.jobs().size() == 1);
}

TEST_CASE("a restart does not lose expiry", "[queue][sweep]") {
    QueueFixture f;
    f.organization.transport.double_bounce = DoubleBounce::drop;
    f.start();
    f.smtp.answer_with(refuse);
    const auto id = f.send("", {"carol@example.org"});
    f.lane.clock.advance(hours(130));

    f.restart();

    CHECK(f.is_gone(id));
    CHECK(f.reports() == 0);
}

TEST_CASE("the sender hears of a delay once", "[queue][sweep]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 4.7.1 Not today"); });
    const auto id = f.send("alice@contoso.com", {"carol@example.org"});

    f.lane.advance(hours(4) - minutes(1));
    CHECK(f.reports() == 0);
    f.lane.advance(minutes(2));
    CHECK(f.reports() == 1);
    CHECK(f.row(id).delay_notified);
    REQUIRE(f.mailbox.jobs().size() == 1);
    CHECK(f.mailbox.jobs()[0].message->body->find("Action: delayed") != std::string::npos);

    f.restart();
    f.lane.advance(hours(20));
    CHECK(f.reports() == 1);
}

TEST_CASE(
    "no delay is reported to the null sender, nor when it is switched off", "[queue][sweep]") {
    QueueFixture f;
    const bool is_off = GENERATE(false, true);
    f.organization.transport.delay_dsn_enabled = !is_off;
    f.start();
    f.smtp.answer_with(refuse);

    f.send(is_off ? "alice@contoso.com" : "", {"carol@example.org"});
    f.lane.advance(hours(24));

    CHECK(f.reports() == 0);
}

TEST_CASE("failures of a message are reported together when nothing of it runs", "[queue][sweep]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    f.smtp.answer_with(
        [](const auto& job) { return report_failed(job, "550 5.1.1 no such user"); });
    f.send("alice@contoso.com", {"a@a.example", "b@b.example"});
    REQUIRE(f.smtp.running() == 2);

    f.smtp.release_one();
    f.lane.poll();
    CHECK(f.reports() == 0);
    f.smtp.hold(false);
    f.lane.poll();

    REQUIRE(f.mailbox.jobs().size() == 1);
    const auto& text = *f.mailbox.jobs()[0].message->body;
    CHECK(text.find("a@a.example") != std::string::npos);
    CHECK(text.find("b@b.example") != std::string::npos);
    CHECK(f.store.messages().empty());
}

TEST_CASE("a failure is reported after 10 minutes although the rest still runs", "[queue][sweep]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    f.smtp.answer_with(
        [](const auto& job) { return report_failed(job, "550 5.1.1 no such user"); });
    const auto id = f.send("alice@contoso.com", {"a@a.example", "b@b.example"});
    f.smtp.release_one();
    f.lane.advance(minutes(9));
    CHECK(f.reports() == 0);

    f.lane.advance(minutes(2));
    CHECK(f.reports() == 1);
    CHECK(f.row(id, 0).reported);

    f.smtp.hold(false);
    f.lane.poll();
    CHECK(f.reports() == 2);
    CHECK(f.store.messages().empty());
}

TEST_CASE("a deferred recipient does not hold back the report of a failed one", "[queue][sweep]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const DeliveryJob& job) {
        return job.hop.domain == "a.example" ? report_failed(job, "550 5.1.1 no such user")
                                             : report_deferred(job, "451 later");
    });

    const auto id = f.send("alice@contoso.com", {"a@a.example", "b@b.example"});

    CHECK(f.reports() == 1);
    CHECK(f.row(id, 0).reported);
    CHECK(f.row(id, 1).state == RecipientState::deferred);
}

TEST_CASE("a report whose commit failed is made within a minute, once", "[queue][sweep]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with(
        [](const auto& job) { return report_failed(job, "550 5.1.1 no such user"); });
    f.gated().report_error = Error::disk_full;
    const auto id = f.send("alice@contoso.com", {"a@a.example"});
    REQUIRE_FALSE(f.is_gone(id));
    CHECK(f.row(id).state == RecipientState::failed);
    CHECK(f.manager->statistics().rows == 0);

    f.gated().report_error = ErrorCode();
    f.lane.advance(minutes(1));

    CHECK(f.is_gone(id));
    CHECK(count_reports(f, "Undeliverable") == 1);
}

TEST_CASE("a crash between a failure and its report leaves the report owed", "[queue][sweep]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with(
        [](const auto& job) { return report_failed(job, "550 5.1.1 no such user"); });
    f.gated().report_error = Error::disk_full;
    const auto id = f.send("alice@contoso.com", {"a@a.example"});

    f.restart();

    CHECK(f.smtp.attempts(id) == 1);
    CHECK(f.is_gone(id));
    CHECK(count_reports(f, "Undeliverable") == 1);
}

TEST_CASE("a crash between a report and its retirement does not report again", "[queue][sweep]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with(
        [](const auto& job) { return report_failed(job, "550 5.1.1 no such user"); });
    const auto id = f.send("alice@contoso.com", {"a@a.example"});
    REQUIRE(f.is_gone(id));

    f.restart(true);  // the retirement was not synced
    REQUIRE_FALSE(f.is_gone(id));
    f.lane.advance(hours(5));

    CHECK(f.reports() == 1);
    CHECK(f.is_gone(id));
}

TEST_CASE(
    "a message that left while the age sweep read is not reported as late", "[queue][sweep]") {
    QueueFixture f;
    f.organization.transport.message_retry_interval = minutes(7);
    f.start();
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    const auto id = f.send("alice@contoso.com", {"carol@example.org"});
    f.lane.advance(hours(4) - seconds(30));
    f.gated().hold_reads(true, "messages_after");
    f.lane.advance(seconds(30));
    f.gated().release_read();  // of the expired
    f.lane.poll();
    REQUIRE(f.gated().waiting() == 1);

    f.smtp.answer_with(report_delivered);
    f.lane.advance(minutes(6));
    REQUIRE(f.is_gone(id));
    f.gated().hold_reads(false);
    f.lane.advance(minutes(2));

    CHECK(f.reports() == 0);
}

TEST_CASE("a delay reported while a read was under way is not reported again", "[queue][sweep]") {
    QueueFixture f;
    f.organization.transport.message_retry_interval = hours(4);
    f.start();
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 later"); });
    const auto id = f.send("alice@contoso.com", {"carol@example.org"});
    f.gated().hold_reads(true, "due_messages");
    f.lane.advance(hours(4));
    REQUIRE(f.gated().waiting() == 1);
    REQUIRE(f.reports() == 1);

    f.gated().hold_reads(false);
    f.lane.advance(minutes(2));

    CHECK(f.smtp.attempts(id) == 2);
    CHECK(f.reports() == 1);
}

TEST_CASE("a message removed while owed reports were read is not reported", "[queue][sweep]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with(
        [](const auto& job) { return report_failed(job, "550 5.1.1 no such user"); });
    f.gated().report_error = Error::disk_full;
    const auto id = f.send("alice@contoso.com", {"a@a.example"});
    f.gated().report_error = ErrorCode();
    f.gated().hold_reads(true, "unreported_after");
    f.lane.advance(minutes(1));
    REQUIRE(f.gated().waiting() == 1);

    REQUIRE(f.lane.run(f.manager->remove(id, false)));
    f.gated().hold_reads(false);
    f.lane.advance(minutes(2));

    CHECK(f.is_gone(id));
    CHECK(f.reports() == 0);
}

TEST_CASE("mail without a route waits in Unreachable and is not tried", "[queue][sweep]") {
    QueueFixture f;
    f.organization.send_connectors.clear();
    f.start();

    const auto id = f.send("alice@contoso.com", {"carol@example.org"});
    f.lane.advance(hours(3));

    CHECK(f.smtp.jobs().empty());
    CHECK(f.row(id).state == RecipientState::deferred);
    CHECK(f.row(id).next_hop == "unreachable||");
    CHECK(
        f.row(id).last->diagnostic ==
        "A matching connector cannot be found to route the external recipient");
    CHECK(f.tracking.count(TrackingEventId::defer) == 1);

    f.lane.advance(hours(2));
    CHECK(f.reports() == 1);
    CHECK(f.row(id).delay_notified);
    f.lane.advance(hours(120));
    CHECK(f.is_gone(id));
    CHECK(f.reports() == 2);
}

TEST_CASE("a connector that appears takes what was unreachable", "[queue][sweep]") {
    QueueFixture f;
    f.organization.send_connectors.clear();
    f.limits.active_rows = 60;
    f.start();
    for (int i = 0; i < 200; ++i) {
        f.send("bob@example.net", {"carol@example.org"});
    }
    const auto other = f.send("bob@example.net", {"dan@elsewhere.example"});
    const auto writes = f.gated().recorded();

    f.organization.send_connectors.push_back(make_connector("Example", "smtp:example.org"));
    f.reconfigure();
    f.lane.advance(seconds(5));

    CHECK(f.smtp.jobs().size() == 200);
    CHECK(f.store.messages().size() == 1);
    CHECK(f.row(other).next_hop == "unreachable||");
    CHECK(f.manager->statistics().highest_rows <= 60);
    CHECK(f.gated().recorded() > writes);
}

TEST_CASE("what another node must send waits here and says which", "[queue][sweep][node]") {
    QueueFixture f;
    auto& connector = f.organization.send_connectors.front();
    connector.source_servers = {"mx2.contoso.com", "mx3.contoso.com"};
    f.start();

    const auto id = f.send("bob@example.net", {"carol@example.org"});
    f.lane.advance(hours(3));
    const auto room = f.row(id).next_hop;
    const auto said = f.row(id).last->diagnostic;
    const auto tried = f.smtp.jobs().size();
    f.organization.send_connectors.front().source_servers.emplace_back("mail.contoso.com");
    f.reconfigure();
    f.lane.advance(seconds(5));

    CHECK(
        room == "other-node|mx2.contoso.com,mx3.contoso.com|" +
                    f.organization.send_connectors.front().name);
    CHECK(tried == 0);
    CHECK_THAT(said, Catch::Contains("Another node has to send this"));
    CHECK_THAT(said, Catch::Contains("mx2.contoso.com,mx3.contoso.com"));
    CHECK(f.smtp.jobs().size() == 1);
    CHECK(f.is_gone(id));
}

TEST_CASE("a node that moves brings mail out of the waiting room", "[queue][sweep][node]") {
    QueueFixture f;
    auto& connector = f.organization.send_connectors.front();
    connector.scoped = true;
    connector.source_servers = {"mx2.contoso.com"};
    f.organization.nodes = {{"mx2", "mx2.contoso.com", "paris"}};
    f.start();

    const auto id = f.send("bob@example.net", {"carol@example.org"});
    const auto before = f.row(id).next_hop;
    f.organization.nodes.front().site = "default";
    f.reconfigure();
    f.lane.advance(seconds(5));

    CHECK(before == "unreachable||");
    CHECK_THAT(f.row(id).next_hop, Catch::StartsWith("other-node|mx2.contoso.com|"));
}

TEST_CASE(
    "a start routes Unreachable again, and writes nothing where nothing changed",
    "[queue][sweep]") {
    QueueFixture f;
    f.organization.send_connectors.clear();
    f.start();
    const auto id = f.send("bob@example.net", {"carol@example.org"});

    f.restart();
    CHECK(f.gated().recorded() == 0);

    f.organization = organization_parts();
    f.restart();
    CHECK(f.smtp.attempts(id) == 1);
}

TEST_CASE("a changed connector is tried at once by what waits for it", "[queue][sweep]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with(refuse);
    const auto id = f.send("bob@example.net", {"carol@example.org"});
    f.smtp.answer_with(report_delivered);

    f.organization.send_connectors[0].routing = SendRouting::smart_hosts;
    f.organization.send_connectors[0].smart_hosts.push_back(parse_smart_host("10.0.0.1").value());
    f.reconfigure();
    f.lane.poll();

    REQUIRE(f.smtp.attempts(id) == 2);
    CHECK(f.smtp.jobs().back().hop.type == DeliveryType::smart_host);
    CHECK(f.is_gone(id));
}

TEST_CASE("what waits in memory follows a change of configuration", "[queue][sweep]") {
    QueueFixture f;
    f.limits.first_window = 1;
    f.start();
    f.smtp.hold(true);
    f.send("bob@example.net", {"carol@example.org"});
    const auto id = f.send("bob@example.net", {"dan@example.org"});
    REQUIRE(f.smtp.attempts(id) == 0);

    f.organization.send_connectors.push_back(make_connector("Example", "smtp:example.org"));
    f.reconfigure();
    f.lane.poll();

    REQUIRE(f.smtp.attempts(id) == 1);
    CHECK(f.smtp.jobs().back().hop.connector == "Example");
}

}  // namespace

}  // namespace mailflow
