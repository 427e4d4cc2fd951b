// Connections that outlive a message.
#include "tests/transport/deliver/smtp_fixture.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

const std::string kRelayed = "relayed 250 2.0.0 taken";

}  // namespace

TEST_CASE("the next message to the same host takes the same connection", "[deliver][cache]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});

    const auto first = fixture.deliver({"bob@fabrikam.com"});
    const auto second = fixture.deliver({"carol@fabrikam.com"});

    CHECK_FALSE(first.reused_connection);
    CHECK(second.reused_connection);
    CHECK(fixture.network.dialogues().size() == 1);
    CHECK(fixture.dialogue(0).messages.size() == 2);
}

TEST_CASE("decisions §2.6: sessions of another connector are not shared", "[deliver][cache]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});
    fixture.deliver({"bob@fabrikam.com"});
    auto connector = make_send_connector("Internet", {"smtp:*"});
    connector.fqdn = "other.contoso.com";
    fixture.organization = std::make_shared<const Organization>(make_organization({connector}));

    fixture.deliver({"bob@fabrikam.com"});

    CHECK(fixture.network.dialogues().size() == 2);
}

TEST_CASE("a kept connection that died costs the message nothing", "[deliver][cache]") {
    const auto* last_words = GENERATE("", "421 4.4.2 idle too long\r\n");
    SmtpFixture fixture;
    fixture.serve_mx1({});
    fixture.deliver({"bob@fabrikam.com"});

    fixture.network.end_all(last_words);
    const auto report = fixture.deliver({"carol@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK_FALSE(report.reused_connection);
    CHECK(fixture.network.attempts() == std::vector<Endpoint>{fixture.mx1, fixture.mx1});
}

TEST_CASE(
    "attack case 40: 421 to MAIL, or no answer, on a kept connection leads to a fresh one",
    "[deliver][cache]") {
    const auto* answer = GENERATE("421 4.3.2 enough\r\n", "");
    SmtpFixture fixture;
    PeerScript tired;
    tired.replies["MAIL FROM:<alice@contoso.com> SIZE=1"] = answer;
    fixture.serve_mx1(tired);
    fixture.serve_mx1({});
    fixture.deliver(SmtpFixture::message({"bob@fabrikam.com"}, "x\r\n"));

    const auto report =
        fixture.deliver(SmtpFixture::message({"carol@fabrikam.com"}, std::string(80, 'x')));

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(fixture.network.attempts() == std::vector<Endpoint>{fixture.mx1, fixture.mx1});
}

TEST_CASE(
    "a peer that refuses RSET gets no second envelope on that connection", "[deliver][cache]") {
    SmtpFixture fixture;
    PeerScript script;
    script.replies["RCPT TO:<bob@"] = "550 5.1.1 User unknown\r\n";
    script.replies["DATA"] = "554 5.5.1 no recipients\r\n";
    script.replies["RSET"] = "500 5.5.1 no\r\n";
    fixture.serve_mx1(script);
    fixture.serve_mx1({});

    fixture.deliver({"bob@fabrikam.com"});
    const auto report = fixture.deliver({"carol@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(fixture.network.dialogues().size() == 2);
}

TEST_CASE("a peer that says more than it was asked is not kept", "[deliver][cache]") {
    SmtpFixture fixture;
    PeerScript script;
    script.end_of_data = "250 2.0.0 taken\r\n250 2.0.0 taken again\r\n";
    fixture.serve_mx1(script);

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(fixture.agent->idle_connections() == 0);
}

TEST_CASE("an idle connection ends with QUIT after its time", "[deliver][cache]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});
    fixture.deliver({"bob@fabrikam.com"});

    fixture.test.advance(std::chrono::seconds(20));
    CHECK(fixture.agent->idle_connections() == 1);
    fixture.test.advance(std::chrono::seconds(20));

    CHECK(fixture.agent->idle_connections() == 0);
    CHECK(fixture.dialogue(0).commands.back() == "QUIT");
    CHECK(fixture.dialogue(0).client_closed);
}

TEST_CASE("a session rests longer than the deadline of its last step", "[deliver][cache]") {
    SmtpFixture fixture({.max_idle = std::chrono::hours(2)});
    auto connector = make_send_connector("Internet", {"smtp:*"});
    connector.connection_inactivity_timeout = std::chrono::hours(2);
    fixture.use(connector);
    fixture.serve_mx1({});
    fixture.deliver({"bob@fabrikam.com"});

    fixture.test.advance(std::chrono::hours(1));
    const auto report = fixture.deliver({"carol@fabrikam.com"});

    CHECK(report.reused_connection);
    CHECK(SmtpFixture::words(report, 0) == kRelayed);
}

TEST_CASE("a connection carries a bounded number of messages", "[deliver][cache]") {
    SmtpFixture fixture({.max_transactions = 2});
    fixture.serve_mx1({});

    for (int i = 0; i < 5; ++i)
        fixture.deliver({"bob@fabrikam.com"});
    fixture.test.poll();

    REQUIRE(fixture.network.dialogues().size() == 3);
    CHECK(fixture.dialogue(0).messages.size() == 2);
    CHECK(fixture.dialogue(0).commands.back() == "QUIT");
}

TEST_CASE(
    "max_messages_per_connection: the destination's policy has the word before the connector",
    "[deliver][cache]") {
    SmtpFixture fixture;
    fixture.max_messages_per_connection = 1;
    fixture.serve_mx1({});

    fixture.deliver({"bob@fabrikam.com"});
    fixture.deliver({"bob@fabrikam.com"});

    CHECK(fixture.dialogue(0).messages.size() == 1);
    CHECK(fixture.dialogue(1).messages.size() == 1);
}

TEST_CASE("the cache is bounded and drops the one idle for longest", "[deliver][cache]") {
    SmtpFixture fixture({.max_sessions = 1});
    fixture.serve_mx1({});
    fixture.serve_mx2({});
    fixture.deliver({"bob@fabrikam.com"});
    fixture.resolver.remove("mx1.fabrikam.com");

    fixture.deliver({"bob@fabrikam.com"});

    CHECK(fixture.agent->idle_connections() == 1);
    CHECK(fixture.dialogue(0).client_closed);
    CHECK_FALSE(fixture.dialogue(1).client_closed);
}

TEST_CASE("shutdown ends idle connections and keeps none any more", "[deliver][cache]") {
    SmtpFixture fixture;
    fixture.serve_mx1({});
    fixture.deliver({"bob@fabrikam.com"});

    fixture.agent->close_idle();
    CHECK(fixture.dialogue(0).commands.back() == "QUIT");
    CHECK(fixture.dialogue(0).client_closed);
    fixture.deliver({"bob@fabrikam.com"});

    CHECK(fixture.agent->idle_connections() == 0);
}
