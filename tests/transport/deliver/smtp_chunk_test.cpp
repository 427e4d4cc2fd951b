// BDAT where it saves a round trip (RFC 3030, decisions §2.7).
#include "tests/transport/deliver/smtp_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace mailflow;

namespace {

const std::string kWhole = "Received: by mail.contoso.com\r\nSubject: x\r\n\r\nHello\r\n";
const std::string kRelayed = "relayed 250 2.0.0 taken";

PeerScript chunking() {
    PeerScript script;
    script.ehlo = "250-peer.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
    return script;
}

}  // namespace

TEST_CASE("a further message on a kept connection is one write and one round trip", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(chunking());

    fixture.deliver({"bob@fabrikam.com"});
    const auto before = fixture.dialogue(0).flights;
    const auto report = fixture.deliver({"carol@fabrikam.com", "dave@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 1) == kRelayed);
    CHECK(report.reused_connection);
    CHECK(fixture.dialogue(0).flights == before + 1);
    CHECK(fixture.dialogue(0).messages == std::vector<std::string>{kWhole, kWhole});
    const auto& commands = fixture.dialogue(0).commands;
    CHECK(commands.back() == "BDAT " + std::to_string(kWhole.size()) + " LAST");
    CHECK(std::count(commands.begin(), commands.end(), "RSET") == 0);
}

TEST_CASE("content that does not fit into a flight leaves by DATA", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(chunking());

    const auto report = fixture.deliver(
        SmtpFixture::message({"bob@fabrikam.com"}, std::string(20'000, 'x') + "\r\n"));

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(fixture.dialogue(0).commands.back() == "DATA");
}

TEST_CASE("each recipient keeps its own reply when the body is in the flight", "[deliver]") {
    SmtpFixture fixture;
    auto script = chunking();
    script.replies["RCPT TO:<carol@"] = "550 5.1.1 User unknown\r\n";
    fixture.serve_mx1(script);

    const auto report = fixture.deliver({"bob@fabrikam.com", "carol@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(SmtpFixture::words(report, 1) == "failed 550 5.1.1 User unknown");
}

TEST_CASE("a refused chunk is followed by RSET, for the peer may hold the envelope", "[deliver]") {
    SmtpFixture fixture;
    auto script = chunking();
    script.replies["RCPT TO:<bob@"] = "550 5.1.1 User unknown\r\n";
    script.end_of_data = "554 5.5.1 no valid recipients\r\n";
    fixture.serve_mx1(script);

    const auto report = fixture.deliver({"bob@fabrikam.com"});
    fixture.deliver({"carol@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == "failed 550 5.1.1 User unknown");
    REQUIRE(fixture.network.dialogues().size() == 1);
    const auto& commands = fixture.dialogue(0).commands;
    CHECK(std::count(commands.begin(), commands.end(), "RSET") == 1);
}

TEST_CASE(
    "RFC 1047: lost with the whole message under way is a retry, not a second copy at once",
    "[deliver]") {
    const auto* const at = GENERATE("RCPT", "BDAT");
    SmtpFixture fixture;
    auto script = chunking();
    if (std::string(at) == "RCPT") script.replies["RCPT"] = "";
    script.end_of_data = "";
    fixture.serve_mx1(script);
    fixture.serve_mx2(chunking());

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(report.recipients.at(0).status.action == DeliveryAction::delayed);
    CHECK(fixture.network.attempts().size() == 1);
}

TEST_CASE("content that cannot be read is not begun", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(chunking());
    fixture.bodies.text = "Subject: x\r\n";
    fixture.bodies.end_error = Error::corrupt;
    auto message = SmtpFixture::message({"bob@fabrikam.com"}, "");
    message.content.body.length = fixture.bodies.text.size();

    const auto report = fixture.deliver(message);

    CHECK(report.recipients.at(0).status.status == EnhancedStatus{4, 3, 0});
    CHECK(fixture.dialogue(0).commands.size() == 1);
}

TEST_CASE(
    "a kept connection that the peer has closed is seen before anything is sent", "[deliver]") {
    SmtpFixture fixture;
    fixture.serve_mx1(chunking());
    fixture.deliver({"bob@fabrikam.com"});
    fixture.network.end_all();

    const auto report = fixture.deliver({"carol@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK_FALSE(report.reused_connection);
    CHECK(fixture.network.attempts().size() == 2);
}
