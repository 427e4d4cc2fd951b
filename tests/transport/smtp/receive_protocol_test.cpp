#include "tests/transport/smtp/protocol_session.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;
using namespace mailflow::smtp;

namespace {

constexpr auto kTooMany =
    "421 4.7.0 Too many errors on this connection, closing transmission channel";

}  // namespace

TEST_CASE("a whole transaction in the words of the reference", "[smtp][receive]") {
    Session session;

    CHECK(
        session.say("EHLO client.example") ==
        "250 mail.contoso.com Hello [192.0.2.1]; SIZE 1000; PIPELINING; ENHANCEDSTATUSCODES; "
        "8BITMIME; SMTPUTF8");
    CHECK(
        session.say("MAIL FROM:<alice@example.com> SIZE=10 BODY=8BITMIME") ==
        "250 2.1.0 Sender OK");
    CHECK(session.say("RCPT TO:<bob@contoso.com>") == "250 2.1.5 Recipient OK");
    CHECK(session.say("RCPT TO:<Postmaster>") == "250 2.1.5 Recipient OK");
    CHECK(session.say("DATA") == "354 Start mail input; end with <CRLF>.<CRLF>");
    CHECK(session.protocol.phase() == Phase::data);
    CHECK(std::string(session.protocol.with_keyword()) == "ESMTP");
    const auto envelope = session.protocol.take_envelope();
    session.protocol.end_transaction(true);
    CHECK(session.protocol.phase() == Phase::greeted);
    CHECK(session.say("QUIT") == "221 2.0.0 Service closing transmission channel");

    CHECK(envelope.reverse_path.text() == "alice@example.com");
    CHECK(envelope.body == BodyType::eight_bit_mime);
    CHECK(envelope.declared_size == 10);
    REQUIRE(envelope.recipients.size() == 2);
    CHECK(envelope.recipients[1].is_bare_postmaster());
}

TEST_CASE("HELO is answered without keywords", "[smtp][receive]") {
    Session session;

    CHECK(session.say("HELO client.example") == "250 mail.contoso.com Hello [192.0.2.1]");
    CHECK(session.protocol.helo() == "client.example");
    CHECK(std::string(session.protocol.with_keyword()) == "SMTP");
}

TEST_CASE("commands out of order are refused and the session lives", "[smtp][receive]") {
    Session session(std::nullopt);

    CHECK(session.say("MAIL FROM:<a@b.example>") == "503 5.5.2 Send hello first");
    CHECK(session.say("RCPT TO:<a@b.example>") == "503 5.5.2 Send hello first");
    CHECK(session.say("DATA") == "503 5.5.2 Send hello first");
    session.say("EHLO client.example");
    CHECK(session.say("RCPT TO:<a@b.example>") == "503 5.5.2 Need mail command");
    CHECK(session.say("DATA") == "503 5.5.2 Need mail command");
    session.say("MAIL FROM:<a@b.example>");
    CHECK(session.say("DATA") == "503 5.5.2 Need rcpt command");
    CHECK(session.say("MAIL FROM:<a@b.example>") == "503 5.5.1 Sender already specified");
    CHECK(session.protocol.protocol_errors() == 7);
    CHECK(session.say("RCPT TO:<bob@contoso.com>") == "250 2.1.5 Recipient OK");
    CHECK(session.say("MAIL FROM:<a@b.example>") == "503 5.5.1 Sender already specified");
    CHECK(session.protocol.envelope().recipients.size() == 1);
}

TEST_CASE("RSET, EHLO and HELO drop an open transaction", "[smtp][receive]") {
    const auto* command = GENERATE("RSET", "EHLO again.example", "HELO again.example");
    Session session;
    session.begin();

    session.say(command);

    CHECK(session.protocol.phase() == Phase::greeted);
    CHECK(session.protocol.envelope().recipients.empty());
    CHECK(session.say("RCPT TO:<bob@contoso.com>") == "503 5.5.2 Need mail command");
}

TEST_CASE("RFC 5321 §4.1.4: a refused EHLO leaves the session as it was", "[smtp][receive]") {
    Session session;
    session.begin();

    CHECK(session.say("EHLO not valid") == "501 5.5.4 Invalid domain name");
    CHECK(session.say("EHLO bad") == "550");

    CHECK(session.protocol.phase() == Phase::rcpt);
    CHECK(session.protocol.helo() == "client.example");
}

TEST_CASE("RSET before the greeting is legal and greets nobody", "[smtp][receive]") {
    Session session;

    CHECK(session.say("RSET") == "250 2.0.0 Resetting");
    CHECK(session.protocol.phase() == Phase::connected);
}

TEST_CASE("too many syntax and sequence errors end the session with 421", "[smtp][receive]") {
    Session session(3);
    session.say("EHLO client.example");

    CHECK(session.say("FOO") == "500 5.3.3 Unrecognized command");
    CHECK(session.say("STARTTLS") == "502 5.5.1 Command not implemented");
    CHECK(session.say("RCPT TO:<a@b.example>") == "503 5.5.2 Need mail command");
    CHECK_FALSE(session.over);
    CHECK(session.say("MAIL FROM:<a b>") == kTooMany);
    CHECK(session.over);
}

TEST_CASE("refused senders and recipients are no protocol errors", "[smtp][receive]") {
    Session session(0);
    session.say("EHLO client.example");

    for (int i = 0; i < 20; ++i) {
        CHECK(session.say("MAIL FROM:<bad@example.com>") == "550");
        // RFC 2920: the rest of the group was already under way.
        CHECK(session.say("RCPT TO:<bob@contoso.com>") == "503 5.5.2 Need mail command");
        CHECK(session.say("DATA") == "503 5.5.2 Need mail command");
    }
    session.say("MAIL FROM:<alice@example.com>");
    CHECK(session.say("RCPT TO:<bad@contoso.com>") == "550");
    CHECK(session.say("DATA") == "554 5.5.1 No valid recipients");

    CHECK(session.protocol.protocol_errors() == 0);
    CHECK(session.protocol.phase() == Phase::mail);
}

TEST_CASE("an overlong line is a syntax error", "[smtp][receive]") {
    Session session(0);
    auto action = session.protocol.on_line_too_long();
    CHECK(std::get<Hangup>(action).reply.one_line() == kTooMany);

    Session patient;
    action = patient.protocol.on_line_too_long();
    CHECK(std::get<SendReply>(action).reply.one_line() == "500 5.5.2 Line too long");
}

TEST_CASE("attack case 17: endless NOOP, RSET, VRFY and HELP end with 421", "[smtp][receive]") {
    const auto* command = GENERATE("NOOP", "RSET", "VRFY x", "HELP");
    Session session;
    session.say("EHLO client.example");
    for (std::uint32_t i = 0; i < kMaxIdleCommands; ++i) {
        REQUIRE_FALSE(session.say(command).starts_with("421"));
    }

    CHECK(session.say(command) == kTooMany);
}

TEST_CASE("a message taken forgives the idle commands before it", "[smtp][receive]") {
    Session session;
    for (std::uint32_t i = 0; i < kMaxIdleCommands; ++i)
        session.say("NOOP");
    session.begin();
    session.say("DATA");

    session.protocol.end_transaction(true);

    CHECK(session.say("NOOP") == "250 2.0.0 OK");
}

TEST_CASE("attack case 10: commands that must end a group are marked", "[smtp][receive]") {
    Session session;
    session.say("EHLO client.example");
    CHECK(session.protocol.must_end_group());
    session.say("MAIL FROM:<alice@example.com>");
    CHECK_FALSE(session.protocol.must_end_group());
    session.say("RCPT TO:<bob@contoso.com>");
    CHECK_FALSE(session.protocol.must_end_group());
    session.say("DATA");
    CHECK(session.protocol.must_end_group());
    CHECK(
        ReceiveProtocol::on_unauthorized_pipelining().reply.one_line() ==
        "554 5.5.0 SMTP protocol synchronization error");
}

TEST_CASE("attack case 9: HTTP is dropped without a word", "[smtp][receive]") {
    Session session;
    auto action = session.protocol.on_command("GET / HTTP/1.1");
    CHECK(std::holds_alternative<Drop>(action));
}

TEST_CASE("RFC 6531: a UTF-8 recipient needs an SMTPUTF8 transaction", "[smtp][receive]") {
    Session session;
    session.say("EHLO client.example");
    session.say("MAIL FROM:<alice@example.com>");
    CHECK(
        session.say("RCPT TO:<j\xc3\xb6rg@contoso.com>") ==
        "553 5.6.7 Internationalized address requires SMTPUTF8");
    session.say("RSET");
    session.say("MAIL FROM:<alice@example.com> SMTPUTF8");
    CHECK(session.say("RCPT TO:<j\xc3\xb6rg@contoso.com>") == "250 2.1.5 Recipient OK");
    CHECK(std::string(session.protocol.with_keyword()) == "UTF8SMTP");
}

TEST_CASE("VRFY and HELP are answered", "[smtp][receive]") {
    Session session;
    CHECK(session.say("VRFY bob").starts_with("252 2.1.5 Cannot VRFY user"));
    CHECK(session.say("HELP").starts_with("214 2.0.0 This server supports"));
    CHECK(session.say("EXPN list") == "550 5.7.1 Lists are not expanded");
}
