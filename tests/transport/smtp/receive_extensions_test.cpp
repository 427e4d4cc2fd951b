// Parameters against what the session offers, and what of them reaches the envelope.
#include "tests/transport/smtp/protocol_session.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;
using namespace mailflow::smtp;

namespace {

constexpr auto kUnsupported = "555 5.5.4 Unsupported option";
constexpr auto kSenderOk = "250 2.1.0 Sender OK";
const UtcTime kNow{std::chrono::seconds(1893456000)};  // 2030-01-01

ReceiveProtocol::Settings everything() {
    ReceiveProtocol::Settings settings{"mail.contoso.com", "192.0.2.1", {}};
    settings.max_protocol_errors = std::nullopt;
    auto& offered = settings.extensions;
    offered.size = 1000;
    offered.chunking = offered.binary_mime = offered.dsn = offered.require_tls = true;
    offered.mt_priority = offered.future_release = offered.deliver_by = true;
    offered.auth = {"PLAIN"};
    offered.max_hold = std::chrono::hours(24);
    offered.hold_until_limit = kNow + std::chrono::hours(24);
    offered.min_deliver_by = std::chrono::seconds(60);
    return settings;
}

ReceiveProtocol::Settings nothing() {
    ReceiveProtocol::Settings settings{"mail.contoso.com", "192.0.2.1", {}};
    settings.max_protocol_errors = std::nullopt;
    auto& offered = settings.extensions;
    offered.announce_size = offered.eight_bit_mime = offered.smtputf8 = false;
    return settings;
}

std::string mail(Session& session, std::string_view parameters) {
    session.say("RSET");
    return session.say("MAIL FROM:<alice@example.com> " + std::string(parameters));
}

}  // namespace

TEST_CASE("RFC 5321 §4.1.1.11: what is not offered is 555", "[smtp][receive][extensions]") {
    const auto* parameter = GENERATE(
        "SIZE=1",
        "BODY=7BIT",
        "BODY=8BITMIME",
        "BODY=BINARYMIME",
        "SMTPUTF8",
        "RET=FULL",
        "ENVID=x",
        "AUTH=<>",
        "REQUIRETLS",
        "MT-PRIORITY=1",
        "HOLDFOR=1",
        "HOLDUNTIL=2030-01-01T00:00:00Z",
        "BY=120;R");

    Session poor(nothing());
    poor.protocol.tls_started();
    poor.say("EHLO client.example");
    CHECK(mail(poor, parameter) == kUnsupported);
    CHECK(mail(poor, "") == kSenderOk);

    Session rich(everything());
    rich.protocol.tls_started();
    rich.say("EHLO client.example");
    CHECK(mail(rich, parameter) == kSenderOk);
}

TEST_CASE("RFC 3461: NOTIFY and ORCPT need DSN", "[smtp][receive][extensions]") {
    const auto* parameter = GENERATE("NOTIFY=NEVER", "ORCPT=rfc822;bob@contoso.com");
    const auto rcpt = "RCPT TO:<bob@contoso.com> " + std::string(parameter);

    Session poor(nothing());
    poor.say("EHLO client.example");
    mail(poor, "");
    CHECK(poor.say(rcpt) == kUnsupported);
    CHECK(poor.say("DATA") == "554 5.5.1 No valid recipients");

    Session rich(everything());
    rich.say("EHLO client.example");
    mail(rich, "");
    CHECK(rich.say(rcpt) == "250 2.1.5 Recipient OK");
}

TEST_CASE("the driver is told of NOTIFY and ORCPT", "[smtp][receive][extensions]") {
    Session session(everything());
    session.say("EHLO client.example");
    mail(session, "");

    const auto action = session.protocol.on_command(
        "RCPT TO:<bob@contoso.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+40contoso.com");

    const auto& rcpt = std::get<CheckRecipient>(action).recipient;
    CHECK(rcpt.dsn.wants(NotifyOn::success));
    CHECK(rcpt.dsn.wants(NotifyOn::delay));
    CHECK_FALSE(rcpt.dsn.wants(NotifyOn::failure));
    CHECK(rcpt.dsn.original_recipient == "rfc822;Bob@contoso.com");
}

TEST_CASE("RFC 8689 §4: REQUIRETLS counts inside TLS only", "[smtp][receive][extensions]") {
    Session session(everything());
    session.say("EHLO client.example");
    CHECK(mail(session, "REQUIRETLS") == kUnsupported);
    session.protocol.tls_started();
    session.say("EHLO client.example");
    CHECK(mail(session, "REQUIRETLS") == kSenderOk);
}

TEST_CASE("all that MAIL asked for is in the envelope", "[smtp][receive][extensions]") {
    Session session(everything());
    session.now = kNow;
    session.protocol.tls_started();
    session.say("EHLO client.example");

    CHECK(
        mail(
            session,
            "SIZE=500 BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=a+20b AUTH=bob@example.com "
            "REQUIRETLS MT-PRIORITY=-4 HOLDFOR=3600 BY=-10;NT") == kSenderOk);

    const auto& envelope = session.protocol.envelope();
    CHECK(envelope.reverse_path.text() == "alice@example.com");
    CHECK(envelope.declared_size == 500);
    CHECK(envelope.body == BodyType::binary_mime);
    CHECK(envelope.smtputf8);
    CHECK(envelope.dsn_return == DsnReturn::headers);
    CHECK(envelope.envelope_id == "a b");
    CHECK(envelope.authenticated_sender == "bob@example.com");
    CHECK(envelope.require_tls);
    CHECK(envelope.priority == -4);
    CHECK(envelope.release == kNow + std::chrono::hours(1));
    CHECK(envelope.deliver_by == DeliverBy{-10, false, true});
}

TEST_CASE("nothing of one envelope is left for the next", "[smtp][receive][extensions]") {
    Session session(everything());
    session.protocol.tls_started();
    session.say("EHLO client.example");
    mail(session, "SMTPUTF8 RET=HDRS ENVID=a AUTH=<> REQUIRETLS MT-PRIORITY=4 HOLDFOR=9 BY=90;R");

    mail(session, "");

    const auto& envelope = session.protocol.envelope();
    CHECK_FALSE(envelope.smtputf8);
    CHECK(envelope.dsn_return == DsnReturn::unspecified);
    CHECK(envelope.envelope_id.empty());
    CHECK(envelope.authenticated_sender.empty());
    CHECK_FALSE(envelope.require_tls);
    CHECK(envelope.priority == 0);
    CHECK(envelope.release == UtcTime{});
    CHECK_FALSE(envelope.deliver_by);
}

TEST_CASE("RFC 4865 §5: a hold longer than announced is 501", "[smtp][receive][extensions]") {
    Session session(everything());
    session.say("EHLO client.example");
    constexpr auto kTooLong = "501 5.5.4 Hold time exceeds the maximum";

    CHECK(mail(session, "HOLDFOR=86400") == kSenderOk);
    CHECK(mail(session, "HOLDFOR=86401") == kTooLong);
    CHECK(mail(session, "HOLDUNTIL=2030-01-02T00:00:00Z") == kSenderOk);
    CHECK(session.protocol.envelope().release == kNow + std::chrono::hours(24));
    CHECK(mail(session, "HOLDUNTIL=2030-01-02T00:00:01Z") == kTooLong);
}

TEST_CASE(
    "RFC 2852 §4: less than the minimum is refused for R only", "[smtp][receive][extensions]") {
    Session session(everything());
    session.say("EHLO client.example");

    CHECK(mail(session, "BY=60;R") == kSenderOk);
    CHECK(mail(session, "BY=59;R") == "555 5.5.4 Delivery time is below the minimum");
    CHECK(mail(session, "BY=59;N") == kSenderOk);
}

TEST_CASE("RFC 9422: MAIL over MAILMAX ends the session", "[smtp][receive][extensions]") {
    auto settings = everything();
    settings.extensions.limits = true;
    settings.extensions.max_mails = 3;
    Session session(settings);
    session.say("EHLO client.example");

    CHECK(mail(session, "") == kSenderOk);
    // Whatever becomes of it.
    CHECK(mail(session, "REQUIRETLS") == kUnsupported);
    CHECK(session.say("MAIL FROM:<bad@example.com>") == "550");
    CHECK(
        mail(session, "") ==
        "421 4.7.0 Too many messages on this connection, closing transmission channel");
    CHECK(session.over);
}

TEST_CASE("RFC 2920: the rest of a group whose MAIL was malformed is no error", "[smtp][receive]") {
    const auto* line = GENERATE("MAIL FROM:<a b>", "MAIL FROM:<a@b.example> FOO=1");
    Session session;
    session.say("EHLO client.example");

    session.say(line);
    CHECK(session.say("RCPT TO:<bob@contoso.com>") == "503 5.5.2 Need mail command");
    CHECK(session.say("DATA") == "503 5.5.2 Need mail command");
    CHECK(session.protocol.protocol_errors() == 1);
    session.say("MAIL FROM:<a@b.example>");
    session.say("RCPT TO:<a b>");
    CHECK(session.say("DATA") == "554 5.5.1 No valid recipients");
    CHECK(session.protocol.protocol_errors() == 2);
}

TEST_CASE("RFC 2034: without ENHANCEDSTATUSCODES no reply has one", "[smtp][receive][extensions]") {
    auto settings = everything();
    settings.extensions.enhanced_status_codes = false;
    settings.extensions.start_tls = true;
    Session session(settings);

    CHECK(session.say("FOO") == "500 Unrecognized command");
    CHECK(session.say("MAIL FROM:<a b>") == "501 Invalid address");
    session.say("EHLO client.example");
    CHECK(session.say("MAIL FROM:<a@b.example>") == "250 Sender OK");
    CHECK(session.say("RCPT TO:<bob@contoso.com>") == "250 Recipient OK");
    CHECK(session.say("BDAT 5") == "take 5");
    CHECK(session.protocol.chunk_received(5).one_line() == "250 5 octets received");
    CHECK(session.say("RSET") == "250 Resetting");
    CHECK(session.say("BDAT 5") == "discard 5: 503 Need mail command");
    CHECK(session.say("STARTTLS") == "220 SMTP server ready");
    session.say("AUTH PLAIN");
    CHECK(session.say("*") == "cancelled 501 Authentication cancelled");
    CHECK(session.play(session.protocol.on_line_too_long()) == "500 Line too long");
    CHECK(
        session.protocol.fitted(make_reply(550, "5.1.1", "User unknown")).one_line() ==
        "550 User unknown");
    CHECK(session.say("QUIT") == "221 Service closing transmission channel");
}

TEST_CASE("without PIPELINING every command but BDAT ends its group", "[smtp][receive]") {
    auto settings = everything();
    settings.extensions.pipelining = false;
    Session session(settings);

    for (const auto* line :
         {"EHLO client.example", "MAIL FROM:<a@b.example>", "RCPT TO:<bob@contoso.com>", "RSET"}) {
        session.say(line);
        CHECK(session.protocol.must_end_group());
    }
    session.begin();
    session.say("BDAT 5");
    CHECK_FALSE(session.protocol.must_end_group());
}

TEST_CASE("RequireEHLODomain: a name without a domain ends the session", "[smtp][receive]") {
    auto settings = everything();
    settings.requires_ehlo_domain = true;

    for (const auto* line : {"EHLO localhost", "HELO pc.", "EHLO", "HELO a b"}) {
        Session session(settings);
        CHECK(session.say(line) == "501 5.5.4 Invalid domain name");
        CHECK(session.over);
    }
    for (const auto* line : {"EHLO pc.example", "HELO [192.0.2.1]", "EHLO [IPv6:2001:db8::1]"}) {
        Session session(settings);
        CHECK(session.say(line).starts_with("250 "));
    }
}

TEST_CASE("RFC 5321 §7.3: VRFY and EXPN as the administrator wants", "[smtp][receive]") {
    Session session;
    CHECK(session.say("VRFY bob").starts_with("252 2.1.5 "));
    CHECK(session.say("EXPN staff") == "550 5.7.1 Lists are not expanded");

    auto settings = nothing();
    settings.extensions.verify = true;
    Session open(settings);
    CHECK(open.say("VRFY bob") == "verify bob");
    CHECK(open.say("EXPN staff") == "expand staff");
    CHECK(open.say("VRFY bob SMTPUTF8") == "504 5.5.4 Unsupported option");
    CHECK(open.say("EXPN bob SMTPUTF8") == "504 5.5.4 Unsupported option");
}

TEST_CASE("HELP names what the session offers", "[smtp][receive]") {
    Session session;
    CHECK(
        session.say("HELP") ==
        "214 2.0.0 This server supports the following commands:; "
        "HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT");

    auto settings = everything();
    settings.extensions.start_tls = settings.extensions.verify = true;
    settings.extensions.xclient = true;
    Session rich(settings);
    CHECK(
        rich.say("HELP") ==
        "214 2.0.0 This server supports the following commands:; HELO EHLO STARTTLS AUTH MAIL RCPT "
        "DATA BDAT RSET NOOP VRFY EXPN XCLIENT HELP QUIT");
}

TEST_CASE("attack case 17: endless EHLO ends with 421", "[smtp][receive]") {
    Session session;
    session.say("EHLO client.example");
    for (std::uint32_t i = 0; i < kMaxIdleCommands; ++i)
        REQUIRE(session.say("EHLO client.example").starts_with("250 "));

    CHECK(session.say("EHLO client.example").starts_with("421 4.7.0"));
    CHECK(session.over);
}
