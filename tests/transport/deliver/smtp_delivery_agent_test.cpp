#include "tests/transport/deliver/smtp_fixture.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

const std::string kWhole = "Received: by mail.contoso.com\r\nSubject: x\r\n\r\nHello\r\n";

PeerScript without_pipelining() {
    PeerScript script;
    script.ehlo = "250-peer.example\r\n250 SIZE 100000\r\n";
    return script;
}

}  // namespace

TEST_CASE("a message is delivered to the best MX host, prefix first", "[deliver][smtp]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    REQUIRE(report.recipients.size() == 1);
    CHECK_FALSE(report.hop_failure);
    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
    CHECK(report.recipients[0].status.remote_mta == "mx1.fabrikam.com");
    CHECK(report.recipients[0].status.remote_address == "203.0.113.1:25");
    const auto& dialogue = fixture.dialogue(0);
    CHECK(
        dialogue.commands ==
        std::vector<std::string>{
            "EHLO mail.contoso.com",
            "MAIL FROM:<alice@contoso.com> SIZE=" + std::to_string(kWhole.size()),
            "RCPT TO:<bob@fabrikam.com>",
            "DATA"});
    CHECK(dialogue.messages == std::vector<std::string>{kWhole});
}

TEST_CASE("a message leaves with the edits of its header", "[deliver][smtp]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});
    auto message = SmtpFixture::message({"bob@fabrikam.com"});
    message.content.edits = {{9, 1, "..y"}, {12, 0, ".Z: dotted\r\n"}};

    const auto report = fixture.deliver(std::move(message));

    const std::string whole =
        "Received: by mail.contoso.com\r\nSubject: ..y\r\n.Z: dotted\r\n\r\nHello\r\n";
    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
    CHECK(fixture.dialogue(0).messages == std::vector<std::string>{whole});
    CHECK(
        fixture.dialogue(0).commands[1] ==
        "MAIL FROM:<alice@contoso.com> SIZE=" + std::to_string(whole.size()));
}

TEST_CASE(
    "RFC 2920: envelope and DATA are one write where PIPELINING is offered", "[deliver][smtp]") {
    SmtpFixture fast;
    fast.serve_mx1({});
    fast.deliver({"bob@fabrikam.com", "carol@fabrikam.com"});
    CHECK(fast.dialogue(0).flights == 2);

    SmtpFixture slow;
    slow.serve_mx1(without_pipelining());
    const auto report = slow.deliver({"bob@fabrikam.com", "carol@fabrikam.com"});
    CHECK(slow.dialogue(0).flights == 5);
    CHECK(SmtpFixture::words(report, 1) == "relayed 250 2.0.0 taken");
}

TEST_CASE("replies are read however they are cut", "[deliver][smtp]") {
    SmtpFixture fixture;
    PeerScript script;
    script.read_limit = 1;
    script.end_of_data = "250-2.0.0 taken\r\n250 2.0.0 for good\r\n";
    fixture.serve_mx1(script);

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken for good");
}

TEST_CASE("each recipient has its own outcome", "[deliver][smtp]") {
    const bool pipelining = GENERATE(true, false);
    SmtpFixture fixture;
    auto script = pipelining ? PeerScript{} : without_pipelining();
    script.replies["RCPT TO:<carol@"] = "550 5.1.1 User unknown\r\n";
    script.replies["RCPT TO:<dave@"] = "451 4.7.1 Come back later\r\n";
    fixture.serve_mx1(script);

    const auto report =
        fixture.deliver({"bob@fabrikam.com", "carol@fabrikam.com", "dave@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
    CHECK(SmtpFixture::words(report, 1) == "failed 550 5.1.1 User unknown");
    CHECK(report.recipients[1].status.status == EnhancedStatus{5, 1, 1});
    CHECK(SmtpFixture::words(report, 2) == "delayed 451 4.7.1 Come back later");
    CHECK_FALSE(report.hop_failure);
}

TEST_CASE(
    "nobody accepted: the lone dot delivers nothing and the session lives", "[deliver][smtp]") {
    SmtpFixture fixture;
    PeerScript script;
    script.replies["RCPT TO:<bob@"] = "550 5.1.1 User unknown\r\n";
    fixture.serve_mx1(script);

    const auto report = fixture.deliver({"bob@fabrikam.com"});
    fixture.deliver({"carol@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == "failed 550 5.1.1 User unknown");
    REQUIRE(fixture.network.dialogues().size() == 1);
    CHECK(fixture.dialogue(0).messages == std::vector<std::string>{"", kWhole});
}

TEST_CASE(
    "RSET comes before the next message only when the last left a transaction open",
    "[deliver][smtp]") {
    SmtpFixture fixture;
    auto script = without_pipelining();
    script.replies["RCPT TO:<bob@"] = "550 5.1.1 User unknown\r\n";
    fixture.serve_mx1(script);

    fixture.deliver({"bob@fabrikam.com"});
    fixture.deliver({"carol@fabrikam.com"});
    fixture.deliver({"carol@fabrikam.com"});

    const auto& commands = fixture.dialogue(0).commands;
    CHECK(std::count(commands.begin(), commands.end(), "RSET") == 1);
    CHECK(commands.at(3) == "RSET");
}

TEST_CASE("a host that cannot be reached leads to the next one", "[deliver][smtp]") {
    SmtpFixture fixture;
    fixture.serve_mx2({});

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(fixture.network.attempts() == std::vector<Endpoint>{fixture.mx1, fixture.mx2});
    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
    CHECK(report.recipients[0].status.remote_mta == "mx2.fabrikam.com");
}

TEST_CASE("a greeting that refuses leads to the next host", "[deliver][smtp]") {
    const auto* greeting =
        GENERATE("421 4.3.2 busy\r\n", "554 5.7.1 blocked\r\n", "", "HTTP/1.1 400 Bad Request\r\n");
    SmtpFixture fixture;
    PeerScript script;
    script.greeting = greeting;
    fixture.serve_mx1(script);
    fixture.serve_mx2({});

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
    CHECK(fixture.dialogue(1).messages.size() == 1);
}

TEST_CASE("no host reached: the hop waits, verbatim", "[deliver][smtp]") {
    SmtpFixture fixture;
    PeerScript script;
    script.greeting = "421 4.3.2 Service not available\r\n";
    fixture.serve_mx2(script);

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(report.recipients.empty());
    REQUIRE(report.hop_failure);
    CHECK(report.hop_failure->diagnostic == "421 4.3.2 Service not available");
    CHECK(report.hop_failure->remote_mta == "mx2.fabrikam.com");
}

TEST_CASE("RFC 5321 §3.2: HELO when EHLO is refused", "[deliver][smtp]") {
    SmtpFixture fixture;
    PeerScript script;
    script.ehlo = "502 5.5.1 What?\r\n";
    fixture.serve_mx1(script);

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
    CHECK(fixture.dialogue(0).commands[1] == "HELO mail.contoso.com");
    CHECK(fixture.dialogue(0).commands[2] == "MAIL FROM:<alice@contoso.com>");
}

TEST_CASE("421 in mid-session leads to the next host without penalty", "[deliver][smtp]") {
    const auto* at = GENERATE("MAIL", "RCPT", "DATA");
    SmtpFixture fixture;
    auto script = without_pipelining();
    script.replies[at] = "421 4.3.2 going down\r\n";
    fixture.serve_mx1(script);
    fixture.serve_mx2({});

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
    CHECK(report.recipients[0].status.remote_mta == "mx2.fabrikam.com");
}

TEST_CASE(
    "recipients refused at one host stay refused when the rest goes to the next",
    "[deliver][smtp]") {
    SmtpFixture fixture;
    auto script = without_pipelining();
    script.replies["RCPT TO:<bob@"] = "550 5.1.1 User unknown\r\n";
    script.replies["DATA"] = "";
    fixture.serve_mx1(script);
    fixture.serve_mx2({});

    const auto report = fixture.deliver({"bob@fabrikam.com", "carol@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == "failed 550 5.1.1 User unknown");
    CHECK(SmtpFixture::words(report, 1) == "relayed 250 2.0.0 taken");
    CHECK(fixture.dialogue(1).commands.at(2) == "RCPT TO:<carol@fabrikam.com>");
}

TEST_CASE("a connection dropped in the body is tried at the next host", "[deliver][smtp]") {
    SmtpFixture fixture;
    PeerScript script;
    script.cut_body_at = 30;
    fixture.serve_mx1(script);
    fixture.serve_mx2({});

    auto message = SmtpFixture::message(
        {"bob@fabrikam.com"},
        "x\r\n" + std::string(40'000, 'y') + "\r\n" + std::string(40'000, 'z') + "\r\n");
    message.content.facts.eight_bit = true;
    const auto report = fixture.deliver(message);

    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
    CHECK(report.recipients[0].status.remote_mta == "mx2.fabrikam.com");
    CHECK(fixture.dialogue(1).commands[1].ends_with(" BODY=8BITMIME"));
}

TEST_CASE(
    "RFC 1047: a connection lost after the final dot is a retry, not a second copy at once",
    "[deliver][smtp]") {
    SmtpFixture fixture;
    PeerScript script;
    script.end_of_data = "";
    fixture.serve_mx1(script);
    fixture.serve_mx2({});

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(report.recipients.at(0).status.action == DeliveryAction::delayed);
    CHECK(report.recipients[0].status.status == EnhancedStatus{4, 4, 2});
    CHECK(fixture.network.attempts().size() == 1);
    CHECK(fixture.agent->idle_connections() == 0);
}

TEST_CASE("attack case 39: a 354 to the final dot, and silence, are retried", "[deliver][smtp]") {
    SmtpFixture fixture;
    PeerScript script;
    script.end_of_data = "354 go on\r\n";
    fixture.serve_mx1(script);

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(report.recipients.at(0).status.action == DeliveryAction::delayed);
    CHECK(fixture.agent->idle_connections() == 0);
}

TEST_CASE("a peer that stays silent is given up after the time of its stage", "[deliver][smtp]") {
    SmtpFixture fixture;
    PeerScript script;
    script.greeting = "220-never the last line\r\n";
    fixture.serve_mx1(script);
    fixture.serve_mx2({});
    const auto before = fixture.test.clock.monotonic();

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    const auto waited = fixture.test.clock.monotonic() - before;
    CHECK(waited >= std::chrono::minutes(5));
    CHECK(waited < std::chrono::minutes(6));
    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
}

TEST_CASE(
    "a reply of 8 kB keeps its verdict, one without end does not keep us", "[deliver][smtp]") {
    SmtpFixture fixture;
    PeerScript script;
    script.end_of_data = "554 5.7.1 " + std::string(8192, 'x') + "\r\n";
    fixture.serve_mx1(script);
    auto report = fixture.deliver({"bob@fabrikam.com"});
    CHECK(report.recipients.at(0).status.action == DeliveryAction::failed);
    CHECK(report.recipients[0].status.diagnostic.size() <= 1024);

    SmtpFixture endless;
    script.end_of_data = "250 " + std::string(100'000, 'x');
    endless.serve_mx1(script);
    report = endless.deliver({"bob@fabrikam.com"});
    CHECK(report.recipients.at(0).status.action == DeliveryAction::delayed);
    CHECK(endless.agent->idle_connections() == 0);
}

TEST_CASE("a refusal during the body is heard", "[deliver][smtp]") {
    SmtpFixture fixture;
    PeerScript script;
    script.cut_body_at = 1000;
    script.cut_body_with = "552 5.3.4 too big for me\r\n";
    fixture.serve_mx1(script);

    const auto report =
        fixture.deliver(SmtpFixture::message({"bob@fabrikam.com"}, std::string(90'000, 'x')));

    CHECK(SmtpFixture::words(report, 0) == "failed 552 5.3.4 too big for me");
}

TEST_CASE("RFC 1870: a message over the host's SIZE fails without being sent", "[deliver][smtp]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});

    const auto report =
        fixture.deliver(SmtpFixture::message({"bob@fabrikam.com"}, std::string(100'001, 'x')));

    CHECK(report.recipients.at(0).status.action == DeliveryAction::failed);
    CHECK(report.recipients[0].status.status == EnhancedStatus{5, 3, 4});
    CHECK(fixture.dialogue(0).commands.size() == 1);
    CHECK(fixture.agent->idle_connections() == 1);
}

TEST_CASE(
    "RFC 6531 §3.2: only the recipients that need SMTPUTF8 fail without it", "[deliver][smtp]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});

    const auto report = fixture.deliver({"j\xc3\xb6rg@fabrikam.com", "bob@fabrikam.com"});

    CHECK(report.recipients.at(0).status.status == EnhancedStatus{5, 6, 7});
    CHECK(SmtpFixture::words(report, 1) == "relayed 250 2.0.0 taken");
}

TEST_CASE("a body that cannot be read is never ended with a dot", "[deliver][smtp]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});
    fixture.serve_mx2({});
    fixture.bodies.text = "Subject: x\r\n\r\nHello\r\n";
    fixture.bodies.end_error = Error::corrupt;

    const auto report = fixture.deliver(SmtpFixture::message({"bob@fabrikam.com"}, ""));

    CHECK(report.recipients.at(0).status.diagnostic.starts_with(
        "451 4.3.0 The stored message is damaged"));
    CHECK(fixture.dialogue(0).messages.empty());
    CHECK(fixture.dialogue(0).client_closed);
    CHECK(fixture.network.attempts().size() == 1);
}

TEST_CASE("a body that cannot be opened costs nobody but its message", "[deliver][smtp]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});
    fixture.bodies.open_error = Error::unavailable;

    const auto report = fixture.deliver(SmtpFixture::message({"bob@fabrikam.com"}, ""));

    CHECK(report.recipients.at(0).status.status == EnhancedStatus{4, 3, 0});
    CHECK(fixture.agent->idle_connections() == 1);
}

TEST_CASE(
    "more recipients than every server takes go in several transactions of one session",
    "[deliver][smtp]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});
    auto message = SmtpFixture::message({"bob@fabrikam.com"});
    for (std::uint32_t number = 1; number < 250; ++number) {
        SmtpFixture::add_recipient(message, "r" + std::to_string(number) + "@fabrikam.com");
    }

    const auto report = fixture.deliver(message);

    CHECK(report.recipients.size() == 250);
    CHECK(fixture.network.dialogues().size() == 1);
    CHECK(fixture.dialogue(0).messages.size() == 3);
    CHECK(report.recipients.back().status.action == DeliveryAction::relayed);
}

TEST_CASE("the connector is gone: the hop waits to be routed anew", "[deliver][smtp]") {
    SmtpFixture fixture;
    fixture.organization = std::make_shared<const Organization>(make_organization());

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    REQUIRE(report.hop_failure);
    CHECK(report.hop_failure->status == EnhancedStatus{4, 4, 4});
}

TEST_CASE("the connector's name is what EHLO says, its port where we connect", "[deliver][smtp]") {
    SmtpFixture fixture;
    auto connector = make_send_connector("Internet", {"smtp:*"});
    connector.fqdn = "out.contoso.com";
    connector.port = 2525;
    fixture.organization = std::make_shared<const Organization>(make_organization({connector}));
    fixture.network.serve({fixture.mx1.address, 2525}, {});

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
    CHECK(fixture.dialogue(0).commands[0] == "EHLO out.contoso.com");
}
