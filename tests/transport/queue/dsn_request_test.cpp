// Reports as the sender asked for them: NOTIFY, RET, ENVID and ORCPT (RFC 3461).
#include "tests/transport/queue/sender_requests.hpp"

#include <chrono>

namespace mailflow {

namespace {

using std::chrono::hours;
using std::chrono::minutes;

TEST_CASE("RFC 3461: NOTIFY=NEVER has no report of any kind", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const DeliveryJob& job) {
        return job.hop.domain == "a.example" ? refuse(job) : put_off(job);
    });

    const auto id = send(f, {"a@a.example", "b@b.example"}, notify(kNever));
    f.lane.advance(hours(121));

    CHECK(f.is_gone(id));
    CHECK(f.reports() == 0);
}

TEST_CASE("RFC 3461: who did not ask for failures is not told of them", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with(refuse);

    const auto id = send(f, {"a@a.example", "b@b.example"}, [](QueuedMessage& message) {
        message.recipients[0].dsn.notify = kFailure;
        message.recipients[1].dsn.notify = kSuccess;
    });

    CHECK(f.is_gone(id));
    const auto reports = reports_of(f, "Undeliverable");
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].find("a@a.example") != std::string::npos);
    CHECK(reports[0].find("b@b.example") == std::string::npos);
}

TEST_CASE("RFC 3461: SUCCESS is told once, after delivery to the mailbox", "[queue][dsn]") {
    QueueFixture f;
    f.directory.add_mailbox("bob", {"bob@contoso.com"});
    f.start();
    f.mailbox.answer_with(into_mailbox);

    const auto id = send(f, {"bob@contoso.com"}, [](QueuedMessage& message) {
        message.recipients[0].dsn = {kSuccess, "rfc822;bob@old.example"};
        message.envelope.envelope_id = "envelope 7";
    });

    CHECK(f.is_gone(id));
    const auto reports = reports_of(f, "Delivered");
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].find("Action: delivered") != std::string::npos);
    CHECK(reports[0].find("Original-Envelope-Id: envelope 7\r\n") != std::string::npos);
    CHECK(reports[0].find("Original-Recipient: rfc822; bob@old.example") != std::string::npos);
    CHECK(reports[0].find("Today?") == std::string::npos);
    CHECK(f.reports() == 1);
}

TEST_CASE("RFC 3461 §5.2.2: a peer without DSN makes us report the relaying", "[queue][dsn]") {
    QueueFixture f;
    const bool knows_dsn = GENERATE(false, true);
    f.start();
    f.smtp.answer_with(knows_dsn ? pass_on : report_delivered);

    const auto id = send(f, {"carol@example.org"}, notify(kSuccess | kFailure));

    CHECK(f.is_gone(id));
    CHECK(reports_of(f, "Relayed").size() == (knows_dsn ? 0 : 1));
    CHECK(f.reports() == (knows_dsn ? 0 : 1));
}

TEST_CASE("outcomes of different kinds are different reports", "[queue][dsn]") {
    QueueFixture f;
    f.directory.add_mailbox("bob", {"bob@contoso.com"});
    f.start();
    f.mailbox.answer_with(into_mailbox);
    f.smtp.answer_with([](const DeliveryJob& job) {
        return job.hop.domain == "a.example" ? refuse(job) : report_delivered(job);
    });

    const auto id =
        send(f, {"bob@contoso.com", "a@a.example", "b@b.example"}, notify(kSuccess | kFailure));

    CHECK(f.is_gone(id));
    CHECK(f.reports() == 3);
    CHECK(reports_of(f, "Delivered").size() == 1);
    CHECK(reports_of(f, "Undeliverable").size() == 1);
    CHECK(reports_of(f, "Relayed").size() == 1);
}

TEST_CASE("a success is reported after 10 minutes although the rest still runs", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    f.smtp.hold(true);
    const auto id = send(f, {"a@a.example", "b@b.example"}, notify(kSuccess));
    f.smtp.release_one();
    f.lane.advance(minutes(9));
    CHECK(f.reports() == 0);

    f.lane.advance(minutes(2));

    CHECK(f.reports() == 1);
    CHECK(f.row(id, 0).reported);
}

TEST_CASE("a crash between a delivery and its report leaves the report owed", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    f.gated().report_error = Error::disk_full;
    const auto id = send(f, {"carol@example.org"}, notify(kSuccess));
    REQUIRE(f.row(id).state == RecipientState::delivered);
    REQUIRE_FALSE(f.row(id).reported);

    f.restart();

    CHECK(f.smtp.attempts(id) == 1);
    CHECK(f.is_gone(id));
    CHECK(reports_of(f, "Relayed").size() == 1);
}

TEST_CASE("a crash between a report of success and its retirement reports once", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    const auto id = send(f, {"carol@example.org"}, notify(kSuccess));
    REQUIRE(f.is_gone(id));

    f.restart(true);  // the retirement was not synced
    REQUIRE_FALSE(f.is_gone(id));
    f.lane.advance(hours(5));

    CHECK(f.reports() == 1);
    CHECK(f.is_gone(id));
}

TEST_CASE("no success is reported to the null sender", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    auto message = f.make_message("", {"carol@example.org"});
    message.recipients[0].dsn.notify = kSuccess;
    const auto id = message.id;
    f.put(message);

    f.manager->announce(std::make_shared<const QueuedMessage>(std::move(message)));
    f.lane.poll();

    CHECK(f.is_gone(id));
    CHECK(f.reports() == 0);
}

TEST_CASE("RFC 3461 §4.3: RET decides what a failure returns, in its bounds", "[queue][dsn]") {
    struct Row {
        DsnReturn asked;
        std::uint64_t limit;
        bool returns_whole;
    };

    const auto row = GENERATE(
        Row{DsnReturn::unspecified, 1000, true},
        Row{DsnReturn::full, 1000, true},
        Row{DsnReturn::full, 10, false},
        Row{DsnReturn::headers, 1000, false});
    QueueFixture f;
    f.organization.transport.dsn_max_message_attach_size = row.limit;
    f.start();
    f.smtp.answer_with(refuse);

    send(f, {"carol@example.org"}, [&](QueuedMessage& message) {
        message.envelope.dsn_return = row.asked;
    });

    const auto reports = reports_of(f, "Undeliverable");
    REQUIRE(reports.size() == 1);
    CHECK((reports[0].find("Today?") != std::string::npos) == row.returns_whole);
    CHECK(reports[0].find("Subject: Lunch") != std::string::npos);
}

TEST_CASE("RFC 8689 §5: the report on a REQUIRETLS message is one, headers only", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with(refuse);

    send(f, {"carol@example.org"}, [](QueuedMessage& message) {
        message.envelope.require_tls = true;
        message.envelope.dsn_return = DsnReturn::full;
    });

    REQUIRE(f.mailbox.jobs().size() == 1);
    const auto& report = *f.mailbox.jobs()[0].message;
    CHECK(report.envelope.require_tls);
    CHECK(report.body->find("Today?") == std::string::npos);
}

TEST_CASE("RFC 3030: binary content does not come back in a report of text", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with(refuse);

    send(f, {"carol@example.org"}, [](QueuedMessage& message) {
        message.envelope.body = BodyType::binary_mime;
    });

    const auto reports = reports_of(f, "Undeliverable");
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].find("Today?") == std::string::npos);
}

}  // namespace

}  // namespace mailflow
