// What a message was sent with, on its way to the next host: what is passed on, what a host must
// know, and whose duty a report is then.
#include "tests/transport/deliver/smtp_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace mailflow;

namespace {

// Offers what `keywords` says, one a word.
PeerScript offering(const std::string& keywords) {
    PeerScript script;
    script.ehlo = "250-peer.example\r\n";
    std::size_t start = 0;
    while (start < keywords.size()) {
        const auto end = std::min(keywords.find(',', start), keywords.size());
        script.ehlo += "250-" + keywords.substr(start, end - start) + "\r\n";
        start = end + 1;
    }
    script.ehlo += "250 PIPELINING\r\n";
    return script;
}

QueuedMessage message(std::initializer_list<const char*> recipients = {"bob@fabrikam.com"}) {
    return SmtpFixture::message(recipients);
}

// Accepted 20 seconds ago.
QueuedMessage deliver_by(const SmtpFixture& fixture, std::int32_t seconds, bool return_late) {
    auto made = message();
    made.accepted = fixture.test.clock.now() - std::chrono::seconds(20);
    made.envelope.deliver_by = DeliverBy{seconds, return_late, false};
    return made;
}

QueuedMessage binary(std::string body) {
    auto made = SmtpFixture::message({"bob@fabrikam.com"}, std::move(body));
    made.envelope.body = BodyType::binary_mime;
    return made;
}

}  // namespace

TEST_CASE(
    "RFC 3461: the peer's DSN is told what was asked, and the queue that it is", "[deliver]") {
    SmtpFixture fixture;
    const bool knows_dsn = GENERATE(true, false);
    fixture.serve_mx1(offering(knows_dsn ? "DSN,8BITMIME" : "8BITMIME"));
    auto asked = message();
    asked.recipients[0].dsn = {2, "rfc822;bob@old.example"};
    asked.envelope.envelope_id = "id-1";
    asked.envelope.dsn_return = DsnReturn::full;

    const auto report = fixture.deliver(asked);

    CHECK(report.recipients[0].passed_on.dsn == knows_dsn);
    const auto& commands = fixture.dialogue(0).commands;
    CHECK(
        commands.at(1) == (knows_dsn ? "MAIL FROM:<alice@contoso.com> RET=FULL ENVID=id-1"
                                     : "MAIL FROM:<alice@contoso.com>"));
    CHECK(
        commands.at(2) == (knows_dsn ? "RCPT TO:<bob@fabrikam.com> NOTIFY=SUCCESS "
                                       "ORCPT=rfc822;bob@old.example"
                                     : "RCPT TO:<bob@fabrikam.com>"));
}

TEST_CASE("RFC 2852: the time that is left is passed on", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(offering("DELIVERBY 30"));

    const auto report = fixture.deliver(deliver_by(fixture, 100, true));

    CHECK(report.recipients[0].status.action == DeliveryAction::relayed);
    CHECK(report.recipients[0].passed_on.deliver_by);
    CHECK(fixture.dialogue(0).commands.at(1) == "MAIL FROM:<alice@contoso.com> BY=80;R");
}

TEST_CASE(
    "RFC 2852: to be returned when late, it goes to no host that does not know", "[deliver]") {
    struct Row {
        const char* offered;
        std::int32_t seconds;
        EnhancedStatus status;
    };

    const auto row = GENERATE(
        Row{"DSN", 100, {5, 3, 3}},
        Row{"DELIVERBY 81", 100, {5, 4, 7}},
        Row{"DELIVERBY", 20, {5, 4, 7}});
    SmtpFixture fixture;
    fixture.serve_mx1(offering(row.offered));
    fixture.serve_mx2(offering(row.offered));

    const auto report = fixture.deliver(deliver_by(fixture, row.seconds, true));

    CHECK(report.recipients.at(0).status.action == DeliveryAction::failed);
    CHECK(report.recipients.at(0).status.status == row.status);
    CHECK(fixture.dialogue(0).commands.size() == 1);
    CHECK(fixture.network.dialogues().size() == 2);
}

TEST_CASE("RFC 2852: another host may know what the first does not", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(offering("DSN"));
    fixture.serve_mx2(offering("DELIVERBY"));

    const auto report = fixture.deliver(deliver_by(fixture, 100, true));

    CHECK(report.recipients.at(0).status.action == DeliveryAction::relayed);
    CHECK(report.recipients.at(0).status.remote_mta == "mx2.fabrikam.com");
}

TEST_CASE("RFC 2852: a message that may be late goes to any host, late or not", "[deliver]") {
    SmtpFixture fixture;
    const bool knows = GENERATE(true, false);
    fixture.serve_mx1(offering(knows ? "DELIVERBY 300" : "DSN"));

    const auto report = fixture.deliver(deliver_by(fixture, 5, false));

    CHECK(report.recipients[0].status.action == DeliveryAction::relayed);
    CHECK(report.recipients[0].passed_on.deliver_by == knows);
    CHECK(
        fixture.dialogue(0).commands.at(1) ==
        std::string("MAIL FROM:<alice@contoso.com>") + (knows ? " BY=-15;N" : ""));
}

TEST_CASE("RFC 6710: the priority is passed on", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(offering("MT-PRIORITY MIXER"));
    auto urgent = message();
    urgent.envelope.priority = 4;

    fixture.deliver(urgent);

    CHECK(fixture.dialogue(0).commands.at(1) == "MAIL FROM:<alice@contoso.com> MT-PRIORITY=4");
}

TEST_CASE("RFC 8689: REQUIRETLS is never sent in clear, whatever the host offers", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(offering("REQUIRETLS"));
    fixture.serve_mx2(offering("REQUIRETLS"));
    auto demanding = message();
    demanding.envelope.require_tls = true;

    const auto report = fixture.deliver(demanding);

    CHECK(report.recipients.at(0).status.action == DeliveryAction::failed);
    CHECK(report.recipients.at(0).status.status == EnhancedStatus{5, 7, 10});
    CHECK(fixture.dialogue(0).commands == std::vector<std::string>{"EHLO mail.contoso.com"});
}

TEST_CASE("RFC 4954 §5: AUTH= is not sent by a client that did not log in", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(offering("AUTH PLAIN"));
    auto told = message();
    told.envelope.authenticated_sender = "alice@contoso.com";

    fixture.deliver(told);

    CHECK(fixture.dialogue(0).commands.at(1) == "MAIL FROM:<alice@contoso.com>");
}

TEST_CASE("RFC 3030: binary content leaves octet by octet in a chunk", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(offering("CHUNKING,BINARYMIME,8BITMIME"));
    std::string body = "Subject: x\r\n\r\n.\r\n..\n\r a";
    body += '\0';
    body += std::string(100'000, '\xff');

    const auto report = fixture.deliver(binary(body));

    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
    const auto whole = "Received: by mail.contoso.com\r\n" + body;
    CHECK(
        fixture.dialogue(0).commands == std::vector<std::string>{
                                            "EHLO mail.contoso.com",
                                            "MAIL FROM:<alice@contoso.com> BODY=BINARYMIME",
                                            "RCPT TO:<bob@fabrikam.com>",
                                            "BDAT " + std::to_string(whole.size()) + " LAST"});
    CHECK(fixture.dialogue(0).messages == std::vector<std::string>{whole});
}

TEST_CASE("RFC 3030: binary content fails at hosts that take none", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(offering("CHUNKING,8BITMIME"));
    fixture.serve_mx2(offering("BINARYMIME,8BITMIME"));

    const auto report = fixture.deliver(binary("Subject: x\r\n\r\n"));

    CHECK(report.recipients.at(0).status.action == DeliveryAction::failed);
    CHECK(report.recipients.at(0).status.status == EnhancedStatus{5, 6, 3});
}

TEST_CASE("content that turns out damaged at its end does not arrive in a chunk", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(offering("CHUNKING,BINARYMIME"));
    fixture.bodies.text = "Subject: x\r\n\r\n" + std::string(50'000, 'a');
    fixture.bodies.end_error = Error::corrupt;
    auto damaged = binary("");
    damaged.content.body.length = fixture.bodies.text.size();

    const auto report = fixture.deliver(damaged);

    CHECK(report.recipients.at(0).status.action == DeliveryAction::delayed);
    CHECK(fixture.dialogue(0).commands.back().starts_with("BDAT "));
    CHECK(fixture.dialogue(0).messages.empty());
    CHECK(fixture.dialogue(0).client_closed);
}

TEST_CASE("a chunk that turns out shorter than announced ends the connection", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(offering("CHUNKING,BINARYMIME"));
    auto broken = binary("Subject: x\r\n\r\nHello");
    broken.content.body.length += 1;

    const auto report = fixture.deliver(broken);

    CHECK(report.recipients.at(0).status.action == DeliveryAction::delayed);
    CHECK(fixture.dialogue(0).messages.empty());
    CHECK(fixture.dialogue(0).client_closed);
}

TEST_CASE("RFC 9422: the peer's limits divide a message into transactions", "[deliver]") {
    const auto count = [](const PeerDialogue& dialogue, std::string_view start) {
        return std::count_if(
            dialogue.commands.begin(), dialogue.commands.end(), [&](const auto& command) {
                return command.starts_with(start);
            });
    };
    const auto five = message(
        {"a@fabrikam.com", "b@fabrikam.com", "c@fabrikam.com", "d@fabrikam.com", "e@fabrikam.com"});

    SmtpFixture recipients;
    recipients.serve_mx1(offering("LIMITS RCPTMAX=2"));
    const auto report = recipients.deliver(five);
    CHECK(report.recipients.size() == 5);
    CHECK(recipients.network.dialogues().size() == 1);
    CHECK(count(recipients.dialogue(0), "MAIL") == 3);
    CHECK(recipients.dialogue(0).messages.size() == 3);

    SmtpFixture mails;
    mails.serve_mx1(offering("LIMITS RCPTMAX=2 MAILMAX=2"));
    mails.deliver(five);
    REQUIRE(mails.network.dialogues().size() == 2);
    CHECK(count(mails.dialogue(0), "MAIL") == 2);
    CHECK(count(mails.dialogue(1), "MAIL") == 1);

    SmtpFixture domains;
    domains.serve_mx1(offering("LIMITS RCPTDOMAINMAX=1"));
    domains.deliver(message({"a@fabrikam.com", "b@Fabrikam.com", "c@other.example"}));
    CHECK(count(domains.dialogue(0), "MAIL") == 2);
    CHECK(domains.dialogue(0).messages.size() == 2);
}
