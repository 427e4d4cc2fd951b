// Log-in at smart hosts (RFC 4954): what is said, when, and what a refusal does.
#include "tests/support/test_certificates.hpp"
#include "tests/transport/deliver/smtp_fixture.hpp"
#include "transport/base/encoding.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

const std::string kPlain = "AUTH PLAIN " + base64_encode(std::string("\0relay\0secret", 13));

struct LoginFixture : SmtpFixture {
    LoginFixture() {
        connector.auth = SmartHostAuth::basic;
        connector.username = "relay";
        connector.password = secrets.seal("secret", secret_context("Internet", "password"));
        script.ehlo = "250-peer.example\r\n250-PIPELINING\r\n250 AUTH LOGIN PLAIN\r\n";
    }

    DeliveryReport send() {
        use(connector);
        serve_mx1(script);
        serve_mx2(script);
        return deliver({"bob@fabrikam.com"});
    }

    SendConnector connector = make_send_connector("Internet", {"smtp:*"});
    PeerScript script;
};

}  // namespace

TEST_CASE(
    "reference 1.1: basic logs in, also without TLS, before the first message", "[deliver][auth]") {
    LoginFixture fixture;
    fixture.script.replies["AUTH PLAIN"] = "235 2.7.0 welcome\r\n";

    const auto report = fixture.send();
    fixture.deliver({"carol@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
    REQUIRE(fixture.network.dialogues().size() == 1);
    const auto& commands = fixture.dialogue(0).commands;
    CHECK(commands.at(1) == kPlain);
    CHECK(std::count(commands.begin(), commands.end(), kPlain) == 1);
}

TEST_CASE("LOGIN answers its challenges", "[deliver][auth]") {
    LoginFixture fixture;
    fixture.script.ehlo = "250-peer.example\r\n250 AUTH LOGIN\r\n";
    fixture.script.replies["AUTH LOGIN"] = "334 VXNlcm5hbWU6\r\n";
    fixture.script.replies[base64_encode("relay")] = "334 UGFzc3dvcmQ6\r\n";
    fixture.script.replies[base64_encode("secret")] = "235 2.7.0 welcome\r\n";

    const auto report = fixture.send();

    CHECK(SmtpFixture::words(report, 0) == "relayed 250 2.0.0 taken");
}

TEST_CASE("a refused log-in waits and names connector and fields", "[deliver][auth]") {
    const auto* const answer = GENERATE(
        "535 5.7.8 Bad credentials\r\n", "454 4.7.0 Temporary failure\r\n", "534 5.7.9 weak\r\n");
    LoginFixture fixture;
    fixture.script.replies["AUTH"] = answer;

    const auto report = fixture.send();

    REQUIRE(report.hop_failure);
    CHECK(report.hop_failure->action == DeliveryAction::delayed);
    CHECK(report.hop_failure->status.klass == 4);
    const auto& words = report.hop_failure->diagnostic;
    CHECK(words.starts_with(std::string(answer).substr(0, 13)));
    CHECK(words.find("connector Internet") != std::string::npos);
    CHECK(words.find("username and password") != std::string::npos);
    CHECK(fixture.dialogue(0).messages.empty());
}

TEST_CASE("silence, garbage and endless challenges at AUTH are retried", "[deliver][auth]") {
    const auto* const answer = GENERATE("", "HTTP/1.1 400\r\n", "334 !!!\r\n", "354 go\r\n");
    LoginFixture fixture;
    fixture.script.replies["AUTH"] = answer;
    fixture.script.replies["*"] = "501 5.7.0 cancelled\r\n";

    const auto report = fixture.send();

    REQUIRE(report.hop_failure);
    CHECK(report.hop_failure->action == DeliveryAction::delayed);
    CHECK(fixture.dialogue(0).messages.empty());
}

TEST_CASE("a host without AUTH gets no mail of a connector that logs in", "[deliver][auth]") {
    LoginFixture fixture;
    fixture.script.ehlo = "250-peer.example\r\n250 PIPELINING\r\n";

    const auto report = fixture.send();

    REQUIRE(report.hop_failure);
    CHECK(report.hop_failure->diagnostic.find("offers no AUTH") != std::string::npos);
    CHECK(fixture.dialogue(0).commands.size() == 1);
}

TEST_CASE("basic-require-tls never says a password in clear", "[deliver][auth]") {
    LoginFixture fixture;
    fixture.connector.auth = SmartHostAuth::basic_require_tls;
    fixture.script.replies["AUTH"] = "235 2.7.0 welcome\r\n";

    const auto report = fixture.send();

    REQUIRE(report.hop_failure);
    CHECK(fixture.dialogue(0).commands.size() == 1);
}

TEST_CASE("a secret that cannot be opened keeps the mail and says so", "[deliver][auth]") {
    LoginFixture fixture;
    fixture.connector.password = "sealed:of something else";

    const auto report = fixture.send();

    REQUIRE(report.hop_failure);
    CHECK(report.hop_failure->status == EnhancedStatus{4, 7, 8});
    CHECK(
        report.hop_failure->diagnostic.find("password of send connector Internet") !=
        std::string::npos);
    CHECK(fixture.network.attempts().empty());
}

TEST_CASE("decisions §2.6: other credentials are another session", "[deliver][auth]") {
    LoginFixture fixture;
    fixture.script.replies["AUTH"] = "235 2.7.0 welcome\r\n";
    fixture.send();
    fixture.connector.password =
        fixture.secrets.seal("new", secret_context("Internet", "password"));

    const auto report = fixture.send();

    CHECK_FALSE(report.reused_connection);
    CHECK(fixture.network.dialogues().size() == 2);
}
