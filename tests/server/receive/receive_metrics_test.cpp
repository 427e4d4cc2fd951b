#include "server/receive/receive_metrics.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace mailflow;

namespace {

struct Fixture {
    Metrics metrics;
    ReceiveMetrics receive{metrics};

    // The value behind `mailflow_receive_` + `rest`; -1 when there is no such line.
    double value(const std::string& rest) const {
        const auto text = metrics.text();
        const auto line = "\nmailflow_receive_" + rest + " ";
        const auto at = text.find(line);
        return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size()));
    }
};

ReceiveConnector connector(std::uint8_t groups, bool submission = false) {
    ReceiveConnector result;
    result.permission_groups = groups;
    result.submission = submission;
    return result;
}

constexpr std::uint8_t bit(PermissionGroup group) {
    return static_cast<std::uint8_t>(group);
}

}  // namespace

TEST_CASE(
    "Open sessions are shown, and ended ones by connector and outcome", "[receive][metrics]") {
    Fixture fixture;

    fixture.receive.session_started();
    fixture.receive.session_started();
    fixture.receive.session_ended(ConnectorKind::client, SessionOutcome::timed_out);

    CHECK(fixture.value("sessions") == 1);
    CHECK(fixture.value("sessions_total{connector=\"client\",outcome=\"timed-out\"}") == 1);
    CHECK(fixture.value("sessions_total{connector=\"internet\",outcome=\"quit\"}") == 0);
}

TEST_CASE("Refused connections are counted, with their reason", "[receive][metrics]") {
    Fixture fixture;

    fixture.receive.connection_refused("max_inbound_connection");

    CHECK(fixture.value("connections_refused_total") == 1);
    CHECK(fixture.value("refusals_total{reason=\"max_inbound_connection\"}") == 1);
}

TEST_CASE("Replies are counted by verb and class", "[receive][metrics]") {
    const std::vector<std::tuple<std::string, int, std::string>> table = {
        {"EHLO x", 250, "class=\"2xx\",verb=\"EHLO\""},
        {"mail from:<>", 452, "class=\"4xx\",verb=\"MAIL\""},
        {"RCPT TO:<a@b>", 550, "class=\"5xx\",verb=\"RCPT\""},
        {"DATA", 354, "class=\"3xx\",verb=\"DATA\""},
        {"BDAT 10 LAST", 250, "class=\"2xx\",verb=\"BDAT\""},
        {"STARTTLS", 220, "class=\"2xx\",verb=\"STARTTLS\""},
        {"XCLIENT ADDR=1", 220, "class=\"2xx\",verb=\"XCLIENT\""},
        {"connect", 500, "class=\"5xx\",verb=\"other\""},
        {"message", 500, "class=\"5xx\",verb=\"other\""},
        {"XYZZY", 500, "class=\"5xx\",verb=\"other\""},
        {"", 500, "class=\"5xx\",verb=\"other\""}};

    for (const auto& [line, code, labels] : table) {
        CAPTURE(line);
        Fixture fixture;
        fixture.receive.replied(counted_verb(line), code);
        CHECK(fixture.value("replies_total{" + labels + "}") == 1);
    }
    Fixture fixture;
    fixture.receive.replied(CountedVerb::connect, 220);
    fixture.receive.replied(CountedVerb::message, 250);
    fixture.receive.replied(CountedVerb::other, 999);
    CHECK(fixture.value("replies_total{class=\"2xx\",verb=\"connect\"}") == 1);
    CHECK(fixture.value("replies_total{class=\"2xx\",verb=\"message\"}") == 1);
    CHECK(fixture.value("replies_total{class=\"5xx\",verb=\"other\"}") == 1);
}

TEST_CASE("Handshakes are counted by version and cipher, failures too", "[receive][metrics]") {
    Fixture fixture;

    fixture.receive.tls_established("TLSv1.3", "TLS_AES_256_GCM_SHA384");
    fixture.receive.tls_established("TLSv1.3", "TLS_AES_256_GCM_SHA384");
    fixture.receive.tls_established("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384");
    fixture.receive.tls_failed();

    CHECK(fixture.value("tls_total{cipher=\"TLS_AES_256_GCM_SHA384\",version=\"TLSv1.3\"}") == 2);
    CHECK(
        fixture.value("tls_total{cipher=\"ECDHE-ECDSA-AES256-GCM-SHA384\",version=\"TLSv1.2\"}") ==
        1);
    CHECK(fixture.value("tls_failures_total") == 1);
}

TEST_CASE("Logins are counted by mechanism and result", "[receive][metrics]") {
    Fixture fixture;

    fixture.receive.auth("plain", AuthResult::success);
    fixture.receive.auth("SCRAM-SHA-256", AuthResult::failure);
    fixture.receive.auth("SCRAM-SHA-256-PLUS", AuthResult::cancelled);
    fixture.receive.auth("XOAUTH2", AuthResult::error);

    CHECK(fixture.value("auth_total{mechanism=\"PLAIN\",result=\"success\"}") == 1);
    CHECK(fixture.value("auth_total{mechanism=\"SCRAM-SHA-256\",result=\"failure\"}") == 1);
    CHECK(fixture.value("auth_total{mechanism=\"SCRAM-SHA-256-PLUS\",result=\"cancelled\"}") == 1);
    CHECK(fixture.value("auth_total{mechanism=\"other\",result=\"error\"}") == 1);
}

TEST_CASE("Octets, messages and delays are counted", "[receive][metrics]") {
    Fixture fixture;

    fixture.receive.received(100);
    fixture.receive.sent(30);
    fixture.receive.message_accepted(3, 4096);
    fixture.receive.delayed();

    CHECK(fixture.value("bytes_total{direction=\"in\"}") == 100);
    CHECK(fixture.value("bytes_total{direction=\"out\"}") == 30);
    CHECK(fixture.value("messages_total") == 1);
    CHECK(fixture.value("recipients_total") == 3);
    CHECK(fixture.value("message_bytes_total") == 4096);
    CHECK(fixture.value("delayed_senders_total") == 1);
}

TEST_CASE("Lanes count together", "[receive][metrics]") {
    Fixture fixture;
    ReceiveMetrics second(fixture.metrics);

    fixture.receive.refused("unknown recipient");
    second.refused("unknown recipient");

    CHECK(fixture.value("refusals_total{reason=\"unknown recipient\"}") == 2);
}

TEST_CASE("Labels are bounded whatever comes", "[receive][metrics]") {
    Fixture fixture;

    for (int i = 0; i < 1000; ++i) {
        fixture.receive.refused("reason " + std::to_string(i));
        fixture.receive.tls_established("TLSv1.3", "cipher " + std::to_string(i));
    }

    CHECK(fixture.value("refusals_total{reason=\"reason 99\"}") == 1);
    CHECK(fixture.value("refusals_total{reason=\"reason 100\"}") == -1);
    CHECK(fixture.value("refusals_total{reason=\"other\"}") == 900);
    CHECK(fixture.value("tls_total{cipher=\"other\",version=\"other\"}") == 900);
}

TEST_CASE("A connector's kind follows from what it allows", "[receive][metrics]") {
    const auto anonymous = bit(PermissionGroup::anonymous);
    const auto authenticated = bit(PermissionGroup::authenticated);
    const auto partners = bit(PermissionGroup::partners);
    const auto trusted = bit(PermissionGroup::trusted);

    CHECK(kind_of(connector(anonymous)) == ConnectorKind::internet);
    CHECK(kind_of(connector(anonymous | authenticated)) == ConnectorKind::internet);
    CHECK(kind_of(connector(authenticated)) == ConnectorKind::client);
    CHECK(kind_of(connector(anonymous | authenticated, true)) == ConnectorKind::client);
    CHECK(kind_of(connector(partners)) == ConnectorKind::partner);
    CHECK(kind_of(connector(trusted)) == ConnectorKind::internal);
}
