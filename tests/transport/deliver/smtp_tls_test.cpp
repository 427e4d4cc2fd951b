// STARTTLS as a client: when it is said, what follows when it fails, what is remembered.
#include "tests/support/test_certificates.hpp"
#include "tests/transport/deliver/smtp_fixture.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

const std::string kRelayed = "relayed 250 2.0.0 taken";

class PlainContexts final : public TlsContexts {
  public:
    [[nodiscard]] TlsContextPtr server_context(const ReceiveConnector&) const override {
        return nullptr;
    }

    [[nodiscard]] TlsContextPtr client_context(const SendConnector*) const override {
        return context_;
    }

  private:
    TlsContextPtr context_ = make_test_client_context();
};

PeerScript secure() {
    static const auto kContext = make_test_server_context();
    PeerScript script;
    script.ehlo = "250-peer.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n";
    script.ehlo_inside = "250-peer.example\r\n250-PIPELINING\r\n250 SIZE 100000\r\n";
    script.tls = kContext;
    return script;
}

struct TlsFixture : SmtpFixture {
    explicit TlsFixture(bool require_tls = false) {
        agent->set_tls_contexts(std::make_shared<PlainContexts>());
        auto connector = make_send_connector("Internet", {"smtp:*"});
        connector.require_tls = require_tls;
        use(connector);
    }

    [[nodiscard]] bool is_inside(std::size_t number, const std::string& start) const {
        const auto& inside = dialogue(number).inside;
        return std::any_of(inside.begin(), inside.end(), [&](const std::string& command) {
            return command.starts_with(start);
        });
    }
};

}  // namespace

TEST_CASE("RFC 3207: a host that offers STARTTLS gets the mail inside TLS", "[deliver][tls]") {
    TlsFixture fixture;
    fixture.serve_mx1(secure());

    const auto report = fixture.deliver({"bob@fabrikam.com"});
    const auto second = fixture.deliver({"carol@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(report.recipients[0].tls.starts_with("TLSv1.3 "));
    REQUIRE(report.hosts.size() == 1);
    CHECK(report.hosts[0].tls == report.recipients[0].tls);
    CHECK(second.reused_connection);
    CHECK(second.recipients[0].tls == report.recipients[0].tls);
    CHECK(fixture.dialogue(0).commands[1] == "STARTTLS");
    CHECK(fixture.dialogue(0).inside.front() == "EHLO mail.contoso.com");
    CHECK(fixture.is_inside(0, "MAIL FROM:<alice@contoso.com> SIZE="));
    CHECK(fixture.dialogue(0).server_name == "mx1.fabrikam.com");
    REQUIRE(fixture.memory.counted.size() == 1);
    CHECK(fixture.memory.counted[0].type == TlsResultType::success);
    CHECK(fixture.memory.counted[0].policy_domain == "fabrikam.com");
}

TEST_CASE(
    "optional TLS that fails leads to the same host in clear, for a while", "[deliver][tls]") {
    const auto kind = GENERATE(0, 1, 2, 3);
    TlsFixture fixture;
    auto script = secure();
    if (kind == 0) script.tls = nullptr, script.replies["STARTTLS"] = "220 go ahead\r\n";
    if (kind == 1) script.replies["STARTTLS"] = "";
    if (kind == 2) script.replies["STARTTLS"] = "421 4.3.2 tired\r\n";
    if (kind == 3) script.replies["STARTTLS"] = "220 go ahead\r\n250 and more\r\n";
    fixture.serve_mx1(script);

    const auto report = fixture.deliver({"bob@fabrikam.com"});
    fixture.agent->close_idle();
    const auto second = fixture.deliver({"carol@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(SmtpFixture::words(second, 0) == kRelayed);
    CHECK(report.recipients[0].tls.empty());
    REQUIRE(fixture.network.dialogues().size() == 3);
    CHECK(fixture.dialogue(0).commands.at(1) == "STARTTLS");
    CHECK(fixture.dialogue(1).commands.at(1).starts_with("MAIL"));
    CHECK(fixture.dialogue(2).commands.at(1).starts_with("MAIL"));
    CHECK(fixture.memory.kept_peers.at("mx1.fabrikam.com").failures == 1);

    fixture.test.advance(std::chrono::hours(2));
    fixture.deliver({"dave@fabrikam.com"});

    CHECK(fixture.dialogue(3).commands.at(1) == "STARTTLS");
    CHECK(
        fixture.memory.kept_peers.at("mx1.fabrikam.com").until - fixture.test.clock.now() >
        std::chrono::minutes(30));
}

TEST_CASE("RFC 3207 §4.1: a refused STARTTLS that is optional goes on in clear", "[deliver][tls]") {
    TlsFixture fixture;
    auto script = secure();
    script.replies["STARTTLS"] = "454 4.7.0 TLS not available\r\n";
    fixture.serve_mx1(script);

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(fixture.network.dialogues().size() == 1);
    CHECK(fixture.memory.counted.at(0).type == TlsResultType::starttls_not_supported);
}

TEST_CASE("required TLS that is not had never becomes mail in clear", "[deliver][tls]") {
    const auto kind = GENERATE(0, 1, 2, 3, 4);
    TlsFixture fixture(true);
    auto script = secure();
    if (kind == 0) script.ehlo = "250-peer.example\r\n250 PIPELINING\r\n";
    if (kind == 1) script.replies["STARTTLS"] = "454 4.7.0 TLS not available\r\n";
    if (kind == 2) script.tls = nullptr, script.replies["STARTTLS"] = "220 go ahead\r\n";
    if (kind == 3) script.replies["STARTTLS"] = "";
    if (kind == 4) script.replies["STARTTLS"] = "220 go\r\n250-peer.example\r\n250 AUTH PLAIN\r\n";
    fixture.serve_mx1(script);
    fixture.serve_mx2(script);

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    REQUIRE(report.hop_failure);
    CHECK(report.hop_failure->action == DeliveryAction::delayed);
    CHECK(
        report.hop_failure->diagnostic.find("the send connector requires TLS") !=
        std::string::npos);
    REQUIRE(report.hosts.size() == 2);
    CHECK(report.hosts[0].failed);
    for (const auto& dialogue : fixture.network.dialogues()) {
        for (const auto& command : dialogue->commands)
            CHECK_FALSE(command.starts_with("MAIL"));
    }
    CHECK(fixture.memory.kept_peers.empty());
}

TEST_CASE("a host whose required TLS fails leads to the next host", "[deliver][tls]") {
    TlsFixture fixture(true);
    fixture.serve_mx1({});
    fixture.serve_mx2(secure());

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(report.recipients[0].status.remote_mta == "mx2.fabrikam.com");
}

TEST_CASE("a connector that ignores STARTTLS never says it", "[deliver][tls]") {
    TlsFixture fixture;
    auto connector = make_send_connector("Internet", {"smtp:*"});
    connector.ignore_starttls = true;
    fixture.use(connector);
    fixture.serve_mx1(secure());

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(fixture.dialogue(0).commands.at(1).starts_with("MAIL"));
}

TEST_CASE("a connector that forces HELO says no EHLO and no STARTTLS", "[deliver][tls]") {
    TlsFixture fixture;
    auto connector = make_send_connector("Internet", {"smtp:*"});
    connector.force_helo = true;
    fixture.use(connector);
    fixture.serve_mx1(secure());

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(fixture.dialogue(0).commands.at(0) == "HELO mail.contoso.com");
    CHECK(fixture.dialogue(0).commands.at(1) == "MAIL FROM:<alice@contoso.com>");
}

TEST_CASE(
    "decisions §2.6: a session in clear is not shared with who requires TLS", "[deliver][tls]") {
    TlsFixture fixture;
    fixture.serve_mx1({});
    fixture.serve_mx2(secure());
    fixture.deliver({"bob@fabrikam.com"});
    auto connector = make_send_connector("Internet", {"smtp:*"});
    connector.require_tls = true;
    fixture.use(connector);

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK_FALSE(report.reused_connection);
    CHECK(report.recipients.at(0).status.remote_mta == "mx2.fabrikam.com");
}

TEST_CASE("a greeting inside TLS that breaks off counts as failed TLS", "[deliver][tls]") {
    TlsFixture fixture;
    auto script = secure();
    script.replies_inside["EHLO"] = "";
    fixture.serve_mx1(script);

    const auto report = fixture.deliver({"bob@fabrikam.com"});

    CHECK(SmtpFixture::words(report, 0) == kRelayed);
    CHECK(fixture.dialogue(1).commands.at(1).starts_with("MAIL"));
}
