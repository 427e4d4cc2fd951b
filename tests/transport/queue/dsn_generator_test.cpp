#include "transport/queue/dsn_generator.hpp"

#include "tests/transport/queue/queue_fixture.hpp"

namespace mailflow {

namespace {

void refuse_all(QueueFixture& f) {
    f.smtp.answer_with(
        [](const auto& job) { return report_failed(job, "550 5.1.1 no such user"); });
}

// The whole text of the only report.
std::string report_text(const QueueFixture& f) {
    REQUIRE(f.mailbox.jobs().size() == 1);
    return *f.mailbox.jobs()[0].message->body;
}

TEST_CASE(
    "a failed delivery is reported to its sender with the original attached", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    refuse_all(f);

    f.send("Alice@Contoso.com", {"carol@example.org"});

    const auto text = report_text(f);
    const auto& report = *f.mailbox.jobs()[0].message;
    CHECK(report.envelope.reverse_path.is_null());
    CHECK(report.origin.connector == "DSN");
    CHECK(report.recipients[0].mailbox == "alice");
    CHECK(text.find("postmaster@contoso.com") != std::string::npos);
    CHECK(text.find("Reporting-MTA: dns; mail.contoso.com") != std::string::npos);
    CHECK(text.find("Final-Recipient: rfc822; carol@example.org") != std::string::npos);
    CHECK(text.find("550 5.1.1 no such user") != std::string::npos);
    CHECK(
        text.find("Received: from client\r\nSubject: Lunch\r\nFrom: a@b\r\n\r\nToday?\r\n") !=
        std::string::npos);
    const auto fields = parse_delivery_status(text);
    REQUIRE(fields.has_value());
    CHECK(fields->recipients.at(0).action == "failed");
    CHECK(
        report.content.facts.message_id == std::string(
                                               text,
                                               text.find('<', text.find("Message-ID:")),
                                               report.content.facts.message_id.size()));
    CHECK(f.store.messages().empty());
}

TEST_CASE("an original over the limit is returned as its header", "[queue][dsn]") {
    QueueFixture f;
    f.organization.transport.dsn_max_message_attach_size = 10;
    f.start();
    refuse_all(f);

    f.send("alice@contoso.com", {"carol@example.org"});

    const auto text = report_text(f);
    CHECK(
        text.find("Received: from client\r\nSubject: Lunch\r\nFrom: a@b\r\n") != std::string::npos);
    CHECK(text.find("Today?") == std::string::npos);
}

TEST_CASE("an original is returned with the edits of its header", "[queue][dsn]") {
    QueueFixture f;
    const bool whole = GENERATE(true, false);
    f.organization.transport.dsn_max_message_attach_size = whole ? 1'000 : 10;
    auto message = f.make_message("alice@contoso.com", {"carol@example.org"});
    message.content.edits = {{0, 16, "Subject: Dinner\r\n"}};
    f.put(std::move(message));
    refuse_all(f);

    f.start();

    const auto text = report_text(f);
    CHECK(
        text.find("Received: from client\r\nSubject: Dinner\r\nFrom: a@b\r\n\r\n") !=
        std::string::npos);
    CHECK(text.find("Subject: Lunch") == std::string::npos);
    CHECK((text.find("Today?") != std::string::npos) == whole);
}

TEST_CASE("an original that cannot be read is reported all the same", "[queue][dsn]") {
    QueueFixture f;
    f.limits.body_bytes = 0;
    f.start();
    refuse_all(f);
    f.bodies.fail_open_with(Error::corrupt);
    std::string text;
    f.mailbox.answer_with([&](const DeliveryJob& job) {
        text = *f.bodies.find(job.message->id);
        return report_delivered(job);
    });

    f.send("alice@contoso.com", {"carol@example.org"});

    CHECK(text.find("Final-Recipient: rfc822; carol@example.org") != std::string::npos);
}

TEST_CASE("a body on disk is read back for the report", "[queue][dsn]") {
    QueueFixture f;
    f.commit("alice@contoso.com", {"carol@example.org"});
    refuse_all(f);

    f.start();

    CHECK(report_text(f).find("Today?") != std::string::npos);
}

TEST_CASE("nothing is reported to the null sender", "[queue][dsn]") {
    QueueFixture f;
    f.organization.transport.double_bounce = DoubleBounce::drop;
    f.start();
    refuse_all(f);

    const auto id = f.send("", {"carol@example.org"});

    CHECK(f.is_gone(id));
    CHECK(f.reports() == 0);
    CHECK(f.store.messages().empty());
    CHECK(f.tracking.count(TrackingEventId::fail) == 1);
}

TEST_CASE("a report that cannot be delivered ends there", "[queue][dsn]") {
    QueueFixture f;
    f.organization.transport.double_bounce = DoubleBounce::drop;
    f.start();
    refuse_all(f);
    f.mailbox.answer_with([](const auto& job) { return report_failed(job, "552 5.2.2 full"); });

    f.send("alice@contoso.com", {"carol@example.org"});

    CHECK(f.reports() == 1);
    CHECK(f.store.messages().empty());
}

TEST_CASE("no report goes to a sender who does not exist here", "[queue][dsn]") {
    QueueFixture f;
    f.organization.transport.double_bounce = DoubleBounce::drop;
    f.start();
    refuse_all(f);

    const auto id = f.send("nobody@contoso.com", {"carol@example.org"});

    CHECK(f.is_gone(id));
    CHECK(f.store.messages().empty());
    REQUIRE(f.reports() == 1);
    CHECK(f.tracking.events().back().detail == "report dropped: the sender does not exist here");
}

TEST_CASE("a report waits while the directory cannot answer", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    refuse_all(f);
    f.directory.fail_with(Error::unavailable);
    const auto id = f.send("alice@contoso.com", {"carol@example.org"});
    REQUIRE_FALSE(f.is_gone(id));

    f.directory.fail_with(ErrorCode());
    f.lane.advance(std::chrono::minutes(1));

    CHECK(f.is_gone(id));
    CHECK(f.mailbox.jobs().size() == 1);
}

TEST_CASE("a report to a sender elsewhere leaves by a send connector", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const DeliveryJob& job) {
        return job.message->envelope.reverse_path.is_null() ? report_delivered(job)
                                                            : report_failed(job, "550 5.1.1 no");
    });

    f.send("bob@example.net", {"carol@example.org"});

    REQUIRE(f.smtp.jobs().size() == 2);
    CHECK(f.smtp.jobs()[1].hop.domain == "example.net");
    CHECK(f.smtp.jobs()[1].message->recipients[0].target == RecipientTarget::remote);
    CHECK(f.store.messages().empty());
}

TEST_CASE("a body store that is full leaves the report owed and no body behind", "[queue][dsn]") {
    QueueFixture f;
    f.start();
    refuse_all(f);
    f.bodies.fail_finish_with(Error::disk_full);
    auto message = [&] {
        f.bodies.fail_finish_with(ErrorCode());
        auto made = f.make_message("alice@contoso.com", {"carol@example.org"});
        f.bodies.fail_finish_with(Error::disk_full);
        return made;
    }();
    f.put(message);

    f.manager->announce(std::make_shared<const QueuedMessage>(message));
    f.lane.poll();

    CHECK(f.reports() == 0);
    CHECK(f.row(message.id).state == RecipientState::failed);
    CHECK(f.bodies.count() == 1);
    CHECK(f.bodies.open_writers() == 0);
}

}  // namespace

}  // namespace mailflow
