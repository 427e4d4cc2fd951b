// STARTTLS, AUTH and XCLIENT: what changes who the client is.
#include "tests/transport/smtp/protocol_session.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;
using namespace mailflow::smtp;

namespace {

ReceiveProtocol::Settings with_tls() {
    ReceiveProtocol::Settings settings{"mail.contoso.com", "192.0.2.1", {}};
    settings.extensions.start_tls = true;
    settings.max_protocol_errors = std::nullopt;
    return settings;
}

ReceiveProtocol::Settings with_auth() {
    auto settings = with_tls();
    settings.extensions.auth = {"PLAIN", "LOGIN"};
    return settings;
}

ReceiveProtocol::Settings with_xclient() {
    auto settings = with_tls();
    settings.extensions.xclient = true;
    return settings;
}

}  // namespace

// ---- STARTTLS

TEST_CASE("RFC 3207 §4: STARTTLS begins TLS and ends its group", "[smtp][receive][tls]") {
    Session session(with_tls());
    session.say("EHLO client.example");

    CHECK(session.say("STARTTLS") == "220 2.0.0 SMTP server ready");
    CHECK(session.protocol.must_end_group());
    CHECK(session.protocol.start_tls_failed().one_line() == "454 4.7.0 TLS not available");
    CHECK(session.protocol.phase() == Phase::greeted);
    CHECK(session.say("STARTTLS now") == "501 5.5.4 Invalid arguments");
}

TEST_CASE("RFC 3207 §4.2: nothing of before is known after the handshake", "[smtp][receive][tls]") {
    auto settings = with_auth();
    Session session(settings);
    session.say("EHLO client.example");
    session.say("AUTH PLAIN AGEAYg==");
    (void)session.protocol.auth_succeeded("alice@contoso.com");

    session.say("STARTTLS");
    session.protocol.tls_started();

    CHECK(session.protocol.is_secure());
    CHECK(session.protocol.phase() == Phase::connected);
    CHECK(session.protocol.helo().empty());
    CHECK(session.protocol.account().empty());
    CHECK_FALSE(session.protocol.is_extended());
    CHECK(session.say("MAIL FROM:<a@b.example>") == "503 5.5.2 Send hello first");
    CHECK(session.say("STARTTLS") == "503 5.5.1 TLS is already active");
    session.say("EHLO client.example");
    CHECK(session.say("AUTH LOGIN") == "begin LOGIN");
}

TEST_CASE("STARTTLS is refused where it cannot be", "[smtp][receive][tls]") {
    Session plain;
    plain.say("EHLO client.example");
    CHECK(plain.say("STARTTLS") == "502 5.5.1 Command not implemented");

    Session session(with_tls());
    session.say("EHLO client.example");
    session.say("MAIL FROM:<alice@example.com>");
    CHECK(session.say("STARTTLS") == "503 5.5.1 Not inside a mail transaction");
    session.say("RCPT TO:<bob@contoso.com>");
    CHECK(session.say("STARTTLS") == "503 5.5.1 Not inside a mail transaction");
    CHECK(session.protocol.phase() == Phase::rcpt);
}

TEST_CASE("RFC 3207 §4: where TLS is required all else is 530", "[smtp][receive][tls]") {
    auto settings = with_auth();
    settings.requires_tls = true;
    settings.extensions.chunking = true;
    settings.extensions.verify = true;
    settings.max_protocol_errors = 0;
    Session session(settings);
    session.say("EHLO client.example");
    constexpr auto kRefusal = "530 5.7.0 Must issue a STARTTLS command first";

    for (const auto* line :
         {"MAIL FROM:<a@b.example>",
          "RCPT TO:<bob@contoso.com>",
          "DATA",
          "VRFY bob",
          "EXPN bob",
          "AUTH PLAIN AGEAYg=="}) {
        CHECK(session.say(line) == kRefusal);
    }
    CHECK(session.say("BDAT 5 LAST") == std::string("discard 5: ") + kRefusal);
    for (const auto* line : {"NOOP", "RSET"}) {
        CHECK(session.say(line).starts_with("250 "));
    }
    CHECK(session.say("STARTTLS") == "220 2.0.0 SMTP server ready");
    session.protocol.tls_started();
    session.say("EHLO client.example");

    CHECK(session.say("MAIL FROM:<a@b.example>") == "250 2.1.0 Sender OK");
    CHECK(session.protocol.protocol_errors() == 0);
}

TEST_CASE("attack case 17: endless 530s end with 421", "[smtp][receive][tls]") {
    auto settings = with_tls();
    settings.requires_tls = true;
    Session session(settings);
    for (std::uint32_t i = 0; i < kMaxIdleCommands; ++i)
        session.say("MAIL FROM:<a@b.example>");

    CHECK(session.say("MAIL FROM:<a@b.example>").starts_with("421 4.7.0"));
    CHECK(session.over);
}

// ---- AUTH

TEST_CASE("RFC 4954 §4: an exchange with challenges", "[smtp][receive][auth]") {
    Session session(with_auth());
    session.say("EHLO client.example");

    CHECK(session.say("AUTH LOGIN") == "begin LOGIN");
    CHECK(session.protocol.must_end_group());
    CHECK(session.protocol.phase() == Phase::auth);
    CHECK(session.protocol.auth_challenge("Username:").one_line() == "334 VXNlcm5hbWU6");
    CHECK(session.say("YWxpY2U=") == "response 'alice'");
    CHECK(session.protocol.auth_challenge("Password:").one_line() == "334 UGFzc3dvcmQ6");
    CHECK(session.say("") == "response ''");
    CHECK(
        session.protocol.auth_succeeded("alice@contoso.com").one_line() ==
        "235 2.7.0 Authentication successful");
    CHECK(session.protocol.account() == "alice@contoso.com");
    CHECK(session.protocol.phase() == Phase::greeted);
    CHECK(session.say("AUTH LOGIN") == "503 5.5.1 Already authenticated");
}

TEST_CASE("an initial response comes decoded", "[smtp][receive][auth]") {
    Session session(with_auth());
    session.say("EHLO client.example");

    CHECK(session.say("auth plain YWJj") == "begin PLAIN 'abc'");
    session.protocol.auth_failed();
    CHECK(session.protocol.phase() == Phase::greeted);
    CHECK(session.protocol.account().empty());
    CHECK(session.say("AUTH PLAIN =") == "begin PLAIN ''");
}

TEST_CASE("attack case 24: a broken exchange changes nothing", "[smtp][receive][auth]") {
    Session session(with_auth());
    session.say("EHLO client.example");
    const auto check_unchanged = [&session] {
        CHECK(session.protocol.phase() == Phase::greeted);
        CHECK(session.protocol.account().empty());
        CHECK(session.say("NOOP") == "250 2.0.0 OK");
    };

    session.say("AUTH LOGIN");
    CHECK(session.say("*") == "cancelled 501 5.7.0 Authentication cancelled");
    check_unchanged();
    for (const auto* line : {"YWxpY2U", "YWxpY2U==", "!", "=", "* ", "YWxp Y2U="}) {
        session.say("AUTH LOGIN");
        CHECK(session.say(line) == "cancelled 501 5.5.2 Cannot decode base64");
        check_unchanged();
    }
    session.say("AUTH LOGIN");
    CHECK(
        session.say(std::string(kMaxAuthLine + 1, 'A')) ==
        "cancelled 500 5.5.6 Authentication line too long");
    check_unchanged();
    session.say("AUTH LOGIN");
    CHECK(
        session.play(session.protocol.on_line_too_long()) ==
        "cancelled 500 5.5.6 Authentication line too long");
    check_unchanged();
    CHECK(session.say("AUTH PLAIN ABC") == "501 5.5.2 Cannot decode base64");
    check_unchanged();
}

TEST_CASE("attack case 24: AUTH out of place is refused", "[smtp][receive][auth]") {
    Session session(with_auth());
    CHECK(session.say("AUTH PLAIN YWJj") == "503 5.5.2 Send hello first");
    session.say("EHLO client.example");
    CHECK(session.say("AUTH CRAM-MD5") == "504 5.5.4 Unrecognized authentication type");
    session.say("MAIL FROM:<alice@example.com>");
    CHECK(session.say("AUTH PLAIN YWJj") == "503 5.5.1 Not inside a mail transaction");
    session.say("RCPT TO:<bob@contoso.com>");
    CHECK(session.say("AUTH PLAIN YWJj") == "503 5.5.1 Not inside a mail transaction");
    CHECK(session.protocol.phase() == Phase::rcpt);
}

TEST_CASE("attack case 23: AUTH that needs TLS says so", "[smtp][receive][auth]") {
    Session session(with_tls());
    session.say("EHLO client.example");
    CHECK(
        session.say("AUTH PLAIN YWJj") ==
        "538 5.7.11 Encryption required for requested authentication mechanism");
    session.protocol.tls_started();
    session.say("EHLO client.example");
    CHECK(session.say("AUTH PLAIN YWJj") == "502 5.5.1 Command not implemented");

    auto never = with_tls();
    never.without_auth = true;
    Session without(never);
    without.say("EHLO client.example");
    CHECK(without.say("AUTH PLAIN YWJj") == "502 5.5.1 Command not implemented");
}

TEST_CASE(
    "attack case 11: lines may be longer only where AUTH is offered", "[smtp][receive][auth]") {
    Session plain;
    CHECK(plain.protocol.max_line() == kMaxCommandLine);
    Session session(with_auth());
    CHECK(session.protocol.max_line() == kMaxAuthLine);
    session.say("EHLO client.example");

    const std::string longer(kMaxCommandLine, 'A');
    CHECK(session.say("NOOP " + longer) == "500 5.5.2 Line too long");
    CHECK(session.say("AUTH PLAIN " + longer).starts_with("begin PLAIN"));
}

TEST_CASE("attack case 17: endless AUTH ends with 421", "[smtp][receive][auth]") {
    Session session(with_auth());
    session.say("EHLO client.example");
    for (std::uint32_t i = 0; i < kMaxIdleCommands; ++i) {
        REQUIRE(session.say("AUTH LOGIN") == "begin LOGIN");
        session.say("*");
    }

    CHECK(session.say("AUTH LOGIN").starts_with("421 4.7.0"));
    CHECK(session.over);
}

TEST_CASE("RFC 3848, RFC 6531 §4.3: the keyword says how the message came", "[smtp][receive]") {
    const bool tls = GENERATE(false, true);
    const bool account = GENERATE(false, true);
    const bool utf8 = GENERATE(false, true);
    Session session(with_auth());
    if (tls) session.protocol.tls_started();
    session.say("EHLO client.example");
    if (account) {
        session.say("AUTH LOGIN");
        (void)session.protocol.auth_succeeded("alice@contoso.com");
    }
    session.say(utf8 ? "MAIL FROM:<a@b.example> SMTPUTF8" : "MAIL FROM:<a@b.example>");

    auto expected = std::string(utf8 ? "UTF8SMTP" : "ESMTP");
    if (tls) expected += 'S';
    if (account) expected += 'A';
    CHECK(session.protocol.with_keyword() == expected);
}

// ---- XCLIENT

TEST_CASE("XCLIENT starts the session anew for another client", "[smtp][receive][xclient]") {
    auto settings = with_xclient();
    settings.banner = "mail.contoso.com at your service";
    Session session(settings);
    session.say("EHLO front.contoso.com");

    CHECK(session.say("XCLIENT NAME=client.example ADDR=198.51.100.7") == "xclient client.example");
    CHECK(
        session.protocol.xclient_applied("198.51.100.7", std::nullopt).one_line() ==
        "220 mail.contoso.com at your service");
    CHECK(session.protocol.phase() == Phase::connected);
    CHECK(session.protocol.helo().empty());
    CHECK(session.say("HELO client.example") == "250 mail.contoso.com Hello [198.51.100.7]");
}

TEST_CASE("XCLIENT with HELO, PROTO and LOGIN greets and logs in", "[smtp][receive][xclient]") {
    Session session(with_xclient());
    session.say("EHLO front.contoso.com");
    session.say("XCLIENT NAME=x HELO=client.example PROTO=ESMTP LOGIN=alice");

    const auto banner =
        session.protocol.xclient_applied("198.51.100.7", "client.example", "alice@contoso.com");

    CHECK(banner.one_line() == "220 mail.contoso.com ESMTP mailflow ready");
    CHECK(session.protocol.helo() == "client.example");
    CHECK(session.protocol.is_extended());
    CHECK(session.protocol.account() == "alice@contoso.com");
    CHECK(session.say("MAIL FROM:<alice@contoso.com>") == "250 2.1.0 Sender OK");
    CHECK(std::string(session.protocol.with_keyword()) == "ESMTPA");
}

TEST_CASE(
    "XCLIENT is refused where it is not offered or in a transaction", "[smtp][receive][xclient]") {
    Session plain;
    plain.say("EHLO client.example");
    CHECK(plain.say("XCLIENT NAME=x") == "502 5.5.1 Command not implemented");

    Session session(with_xclient());
    session.say("EHLO client.example");
    session.say("MAIL FROM:<alice@example.com>");
    CHECK(session.say("XCLIENT NAME=x") == "503 5.5.1 Not inside a mail transaction");
    CHECK(session.say("XCLIENT NAME") == "501 5.5.4 Invalid arguments");
}
