// The settings of reports (reference 5.5, 10.2, 10.3), one test each and more, named after them.
#include "tests/transport/queue/sender_requests.hpp"

namespace mailflow {

namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr auto kFailureOnly = kFailure;

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

// Refuses everything outside, and knows a postmaster.
struct ReportFixture : QueueFixture {
    ReportFixture() {
        directory.add_mailbox("postmaster", {"postmaster@contoso.com"});
        smtp.answer_with(refuse);
    }

    // All messages handed to a mailbox.
    [[nodiscard]] std::vector<QueuedMessagePtr> messages_for(std::string_view name) const {
        std::vector<QueuedMessagePtr> found;
        for (const auto& job : mailbox.jobs()) {
            for (const auto number : job.recipients) {
                if (job.message->recipients.at(number).mailbox == name) {
                    found.push_back(job.message);
                }
            }
        }
        return found;
    }

    // To anybody: those to the outside are in the jobs of smtp.
    [[nodiscard]] std::vector<QueuedMessagePtr> reports_outside() const {
        std::vector<QueuedMessagePtr> found;
        for (const auto& job : smtp.jobs()) {
            if (job.message->origin.connector == "DSN") {
                found.push_back(job.message);
            }
        }
        return found;
    }

    std::string only_report(std::string_view name = "alice") {
        const auto found = messages_for(name);
        REQUIRE(found.size() == 1);
        return *found[0]->body;
    }

    RemoteDomain& remote(std::string_view domain) {
        organization.remote_domains.push_back(
            {.name = std::string(domain), .domain = DomainName::parse(domain).value()});
        return organization.remote_domains.back();
    }
};

}  // namespace

TEST_CASE("dsn_max_message_attach_size 0 returns headers only, always", "[queue][dsn]") {
    ReportFixture f;
    f.organization.transport.dsn_max_message_attach_size = 0;
    f.start();

    f.send("alice@contoso.com", {"carol@example.org"});

    const auto text = f.only_report();
    CHECK(contains(text, "Content-Type: text/rfc822-headers\r\n"));
    CHECK_FALSE(contains(text, "Today?"));
}

TEST_CASE("external_postmaster_address is who reports are from", "[queue][dsn]") {
    ReportFixture f;
    f.organization.transport.external_postmaster_address =
        EmailAddress::parse("helpdesk@contoso.com").value();
    f.start();

    f.send("alice@contoso.com", {"carol@example.org"});

    CHECK(contains(f.only_report(), "From: Mail Delivery System <helpdesk@contoso.com>\r\n"));
}

TEST_CASE("dsn_reporting_authority stands as Reporting-MTA", "[queue][dsn]") {
    ReportFixture f;
    f.organization.transport.dsn_reporting_authority = DomainName::parse("contoso.com").value();
    f.start();

    f.send("alice@contoso.com", {"carol@example.org"});

    CHECK(contains(f.only_report(), "Reporting-MTA: dns; contoso.com\r\n"));
}

TEST_CASE("generate_copy_of_dsn_for gives the postmaster a copy", "[queue][dsn]") {
    ReportFixture f;
    const bool is_listed = GENERATE(true, false);
    f.organization.transport.generate_copy_of_dsn_for = {
        {5, 4, 6}, {5, 1, is_listed ? std::uint16_t{1} : std::uint16_t{2}}};
    f.start();

    f.send("alice@contoso.com", {"carol@example.org"});

    CHECK(f.messages_for("alice").size() == 1);
    CHECK(f.messages_for("postmaster").size() == (is_listed ? 1 : 0));
    CHECK(f.reports() == 1);
}

TEST_CASE("a copy for the postmaster that fails is the end", "[queue][dsn]") {
    ReportFixture f;
    f.organization.transport.generate_copy_of_dsn_for = {{5, 1, 1}};
    f.mailbox.answer_with([](const auto& job) { return report_failed(job, "552 5.2.2 full"); });
    f.start();

    f.send("alice@contoso.com", {"carol@example.org"});

    // The report with its copy, and the notice that it did not reach the sender.
    CHECK(f.reports() == 2);
    CHECK(f.store.messages().empty());
}

TEST_CASE("double_bounce postmaster: what has no sender is told him, once", "[queue][dsn]") {
    ReportFixture f;
    f.start();

    const auto id = f.send("", {"carol@example.org"});

    CHECK(f.is_gone(id));
    const auto text = f.only_report("postmaster");
    CHECK(contains(text, "To: <postmaster@contoso.com>\r\n"));
    CHECK(contains(text, "Subject: Undeliverable: Lunch\r\n"));
    CHECK(contains(text, "You get this as postmaster: a message that is itself a report"));
    CHECK(contains(text, "Final-Recipient: rfc822; carol@example.org\r\n"));
    CHECK(contains(text, "Auto-Submitted: auto-replied\r\n"));
    CHECK(f.messages_for("postmaster")[0]->envelope.reverse_path.is_null());
}

TEST_CASE("double_bounce postmaster: his notice failing is dropped and tracked", "[queue][dsn]") {
    ReportFixture f;
    f.mailbox.answer_with([](const auto& job) { return report_failed(job, "552 5.2.2 full"); });
    f.start();

    f.send("alice@contoso.com", {"carol@example.org"});

    // Message, report and notice failed; nothing comes of the last.
    CHECK(f.tracking.count(TrackingEventId::fail) == 3);
    CHECK(f.reports() == 2);
    CHECK(f.store.messages().empty());
}

TEST_CASE("double_bounce postmaster: a sender who does not exist here", "[queue][dsn]") {
    ReportFixture f;
    f.start();

    f.send("nobody@contoso.com", {"carol@example.org"});

    const auto text = f.only_report("postmaster");
    CHECK(contains(text, "does not exist here"));
    CHECK(contains(text, "Final-Recipient: rfc822; carol@example.org\r\n"));
}

TEST_CASE("double_bounce drop: nobody hears of what has no sender", "[queue][dsn]") {
    ReportFixture f;
    f.organization.transport.double_bounce = DoubleBounce::drop;
    f.start();

    const auto id = f.send("", {"carol@example.org"});

    CHECK(f.is_gone(id));
    CHECK(f.mailbox.jobs().empty());
    CHECK(f.tracking.count(TrackingEventId::fail) == 1);
}

TEST_CASE("dsn_rate_limit: the excess comes to the postmaster in one notice", "[queue][dsn]") {
    ReportFixture f;
    f.organization.transport.dsn_rate_limit = 2;
    f.start();

    for (int i = 0; i < 5; ++i) {
        f.send("alice@contoso.com", {"carol@example.org"});
    }

    CHECK(f.messages_for("alice").size() == 2);
    CHECK(f.store.messages().empty());
    CHECK(f.messages_for("postmaster").empty());
    f.lane.advance(hours(1) + minutes(2));
    const auto text = f.only_report("postmaster");
    CHECK(contains(text, "Subject: Delivery reports withheld: 3\r\n"));
    CHECK(contains(text, "to be told: alice@contoso.com\r\n"));
    CHECK(contains(text, "failed 5.1.1\r\n"));
    CHECK(contains(text, "recipient: carol@example.org\r\n"));
    f.send("alice@contoso.com", {"carol@example.org"});
    CHECK(f.messages_for("alice").size() == 3);
}

TEST_CASE("dsn_rate_limit: a notice of delay is tracked, and not collected", "[queue][dsn]") {
    ReportFixture f;
    f.organization.transport.dsn_rate_limit = 0;
    f.smtp.answer_with([](const auto& job) { return report_deferred(job, "451 4.7.1 Not today"); });
    f.start();
    f.send("alice@contoso.com", {"carol@example.org"});

    f.lane.advance(hours(4) + minutes(1));

    const auto& events = f.tracking.events();
    const auto withheld = std::find_if(events.begin(), events.end(), [](const auto& event) {
        return event.event == TrackingEventId::dsn;
    });
    REQUIRE(withheld != events.end());
    CHECK(contains(withheld->detail, "report withheld"));
    CHECK(withheld->recipients == std::vector<std::string>{"carol@example.org"});
    CHECK(f.messages_for("alice").empty());
    f.lane.advance(hours(1) + minutes(2));
    CHECK(f.messages_for("postmaster").empty());
}

TEST_CASE("dsn_rate_limit: what is collected is sent when the server stops", "[queue][dsn]") {
    ReportFixture f;
    f.organization.transport.dsn_rate_limit = 0;
    f.start();
    f.send("alice@contoso.com", {"carol@example.org"});

    f.lane.run(f.manager->stop(minutes(1)));

    REQUIRE(f.store.messages().size() == 1);
    const auto& notice = f.store.messages().begin()->second;
    CHECK(notice.content.facts.subject == "Delivery reports withheld: 1");
    CHECK(notice.envelope.reverse_path.is_null());
    CHECK(notice.recipients.at(0).mailbox == "postmaster");
}

TEST_CASE("dsn_rate_limit holds for the postmaster's notices too", "[queue][dsn]") {
    ReportFixture f;
    f.organization.transport.dsn_rate_limit = 2;
    f.start();

    for (int i = 0; i < 5; ++i) {
        f.send("", {"carol@example.org"});
    }

    CHECK(f.messages_for("postmaster").size() == 2);
    CHECK(f.store.messages().empty());
    f.lane.advance(hours(1) + minutes(2));
    REQUIRE(f.messages_for("postmaster").size() == 3);
    CHECK(
        contains(*f.messages_for("postmaster")[2]->body, "to be told: postmaster@contoso.com\r\n"));
}

TEST_CASE("remote domain ndr_enabled off: its senders hear of no failure", "[queue][dsn]") {
    ReportFixture f;
    f.remote("example.com").ndr_enabled = false;
    f.start();

    const auto to_quiet = f.send("a@example.com", {"carol@example.org"});
    CHECK(f.reports_outside().empty());
    CHECK(f.is_gone(to_quiet));
    f.send("a@example.net", {"carol@example.org"});

    CHECK(f.reports_outside().size() == 1);
}

TEST_CASE("remote domain delivery_report_enabled off: none of success", "[queue][dsn]") {
    ReportFixture f;
    f.remote("example.com").delivery_report_enabled = false;
    f.start();
    f.mailbox.answer_with(into_mailbox);
    f.directory.add_mailbox("bob", {"bob@contoso.com"});

    for (const auto* sender : {"a@example.com", "a@example.net"}) {
        auto message = f.make_message(sender, {"bob@contoso.com"});
        message.recipients[0].dsn.notify = kSuccess;
        f.put(message);
        f.manager->announce(std::make_shared<const QueuedMessage>(std::move(message)));
        f.lane.poll();
    }

    REQUIRE(f.reports_outside().size() == 1);
    CHECK(f.reports_outside()[0]->recipients[0].address.text() == "a@example.net");
}

TEST_CASE("remote domain ndr_diagnostic_info_enabled off: no words of servers", "[queue][dsn]") {
    ReportFixture f;
    f.remote("example.com").ndr_diagnostic_info_enabled = false;
    f.start();

    f.send("a@example.com", {"carol@example.org"});

    REQUIRE(f.reports_outside().size() == 1);
    const auto& text = *f.reports_outside()[0]->body;
    CHECK_FALSE(contains(text, "Diagnostic information"));
    CHECK_FALSE(contains(text, "Diagnostic-Code"));
    CHECK_FALSE(contains(text, "mail.contoso.com\r\n\r\nOriginal"));
    CHECK_FALSE(contains(text, "Received: from client"));
    CHECK(contains(text, "Reporting-MTA: dns; contoso.com\r\n"));
    CHECK(contains(text, "Status: 5.1.1\r\n"));
    CHECK(contains(text, "Today?"));
}

TEST_CASE("system messages replace what the person reads, by code and side", "[queue][dsn]") {
    ReportFixture f;
    f.organization.system_messages = {
        {"one", {5, 1, 1}, true, "Call 4711 \xe2\x80\x93 they know."},
        {"two", {5, 1, 1}, false, "Write to the help desk."}};
    f.start();

    f.send("alice@contoso.com", {"carol@example.org"});
    f.send("a@example.net", {"carol@example.org"});

    const auto inside = f.only_report();
    CHECK(contains(inside, "\r\nCall 4711 =E2=80=93 they know.\r\n"));
    CHECK(contains(inside, "Content-Transfer-Encoding: quoted-printable\r\n"));
    CHECK_FALSE(contains(inside, "was not found"));
    CHECK(contains(inside, "550 5.1.1 no such user"));
    const auto outside = *f.reports_outside().at(0)->body;
    CHECK(contains(outside, "\r\nWrite to the help desk.\r\n"));
}

// ---- who is told

TEST_CASE("report_to decides who is told, one report for each", "[queue][dsn]") {
    ReportFixture f;
    f.directory.add_mailbox("owner", {"owner@contoso.com"});
    f.start();

    send(f, {"a@example.org", "b@example.org", "c@example.org"}, [](QueuedMessage& message) {
        const auto owner = ReversePath::parse("<owner@contoso.com>").value();
        message.variants = {
            {owner, owner, message.content.edits},
            {message.envelope.reverse_path, ReversePath(), message.content.edits}};
        message.recipients[1].variant = 1;
        message.recipients[2].variant = 2;
    });

    const auto to_alice = f.only_report("alice");
    CHECK(contains(to_alice, "Final-Recipient: rfc822; a@example.org"));
    CHECK_FALSE(contains(to_alice, "b@example.org"));
    const auto to_owner = f.only_report("owner");
    CHECK(contains(to_owner, "To: <owner@contoso.com>\r\n"));
    CHECK(contains(to_owner, "Final-Recipient: rfc822; b@example.org"));
    CHECK_FALSE(contains(to_owner, "c@example.org"));
    CHECK(f.reports() == 2);
    CHECK(f.messages_for("postmaster").empty());
    CHECK(f.store.messages().empty());
}

TEST_CASE("a crash between two reports of a message repeats none of them", "[queue][dsn]") {
    ReportFixture f;
    f.directory.add_mailbox("owner", {"owner@contoso.com"});
    f.start();
    send(f, {"a@example.org", "b@example.org"}, [](QueuedMessage& message) {
        const auto owner = ReversePath::parse("<owner@contoso.com>").value();
        message.variants = {{owner, owner, {}}};
        message.recipients[1].variant = 1;
    });
    REQUIRE(f.reports() == 2);

    f.restart(true);
    f.lane.advance(hours(5));

    CHECK(f.reports() == 2);
    CHECK(f.store.messages().empty());
}

TEST_CASE("RFC 3461 §5.2.7.3: a group that gave way is reported as expanded", "[queue][dsn]") {
    ReportFixture f;
    f.directory.add_mailbox("bob", {"bob@contoso.com"});
    f.mailbox.answer_with(into_mailbox);
    f.start();

    const auto id = send(f, {"team@contoso.com", "bob@contoso.com"}, [](QueuedMessage& message) {
        auto& group = message.recipients[0];
        group.dsn = {kSuccess | kFailureOnly, "rfc822;team@contoso.com"};
        group.state = RecipientState::delivered;
        group.last.emplace();
        group.last->action = DeliveryAction::expanded;
        group.last->status = {2, 1, 5};
        message.recipients[1].dsn.notify = kFailureOnly;
    });

    CHECK(f.is_gone(id));
    CHECK(f.reports() == 1);
    const auto text = f.only_report();
    CHECK(contains(text, "Subject: Expanded: Lunch\r\n"));
    CHECK(contains(text, "Action: expanded\r\nStatus: 2.1.5\r\n"));
    CHECK(contains(text, "Original-Recipient: rfc822; team@contoso.com\r\n"));
    CHECK_FALSE(contains(text, "bob@contoso.com"));
}

TEST_CASE("REQUIRETLS holds for the postmaster's notice too", "[queue][dsn]") {
    ReportFixture f;
    f.start();
    auto message = f.make_message("", {"carol@example.org"});
    message.envelope.require_tls = true;
    f.put(message);
    f.manager->announce(std::make_shared<const QueuedMessage>(std::move(message)));
    f.lane.poll();

    const auto notices = f.messages_for("postmaster");
    REQUIRE(notices.size() == 1);
    CHECK(notices[0]->envelope.require_tls);
    CHECK_FALSE(contains(*notices[0]->body, "Today?"));
}

}  // namespace mailflow
