// RFC 3030: BDAT in every phase. Attack case 13: a chunk's octets are never commands.
#include "tests/transport/smtp/protocol_session.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;
using namespace mailflow::smtp;

namespace {

ReceiveProtocol::Settings with_chunks() {
    ReceiveProtocol::Settings settings{"mail.contoso.com", "192.0.2.1", {}};
    settings.extensions.chunking = true;
    settings.extensions.binary_mime = true;
    settings.max_protocol_errors = std::nullopt;
    settings.max_chunk = 1'000'000;
    return settings;
}

}  // namespace

TEST_CASE("RFC 3030 §4.2: a message in chunks", "[smtp][receive][bdat]") {
    Session session(with_chunks());
    session.begin("BODY=BINARYMIME");

    CHECK(session.say("BDAT 100000") == "take 100000");
    CHECK_FALSE(session.protocol.must_end_group());
    CHECK(session.protocol.phase() == Phase::bdat);
    CHECK(session.protocol.chunk_received(100000).one_line() == "250 2.6.0 100000 octets received");
    CHECK(session.say("BDAT 324 LAST") == "take 324 last");
    CHECK(session.protocol.phase() == Phase::data);
    const auto envelope = session.protocol.take_envelope();
    session.protocol.end_transaction(true);

    CHECK(envelope.body == BodyType::binary_mime);
    CHECK(envelope.recipients.size() == 1);
    CHECK(session.protocol.phase() == Phase::greeted);
    CHECK(session.protocol.protocol_errors() == 0);
}

TEST_CASE("attack case 13: BDAT 0 LAST ends a message", "[smtp][receive][bdat]") {
    Session session(with_chunks());
    session.begin();

    CHECK(session.say("BDAT 5") == "take 5");
    CHECK(session.say("BDAT 0 LAST") == "take 0 last");
    session.protocol.end_transaction(true);
    session.begin();
    CHECK(session.say("BDAT 0 LAST") == "take 0 last");
}

TEST_CASE("attack case 13: a refused chunk is read and dropped", "[smtp][receive][bdat]") {
    Session session(with_chunks());

    CHECK(session.say("BDAT 5 LAST") == "discard 5: 503 5.5.2 Send hello first");
    session.say("EHLO client.example");
    CHECK(session.say("BDAT 6") == "discard 6: 503 5.5.2 Need mail command");
    session.say("MAIL FROM:<alice@example.com>");
    CHECK(session.say("BDAT 7") == "discard 7: 503 5.5.2 Need rcpt command");
    CHECK(session.protocol.protocol_errors() == 3);
    session.say("RCPT TO:<bad@contoso.com>");
    CHECK(session.say("BDAT 8") == "discard 8: 554 5.5.1 No valid recipients");
    CHECK(session.protocol.phase() == Phase::mail);
    CHECK(session.say("BDAT 9 LAST") == "discard 9: 554 5.5.1 No valid recipients");
    CHECK(session.protocol.phase() == Phase::greeted);
    CHECK(session.protocol.protocol_errors() == 3);
}

TEST_CASE("a pipelined message whose sender is refused costs nothing", "[smtp][receive][bdat]") {
    Session session(with_chunks());
    session.say("EHLO client.example");

    CHECK(session.say("MAIL FROM:<bad@example.com>") == "550");
    CHECK(session.say("RCPT TO:<bob@contoso.com>") == "503 5.5.2 Need mail command");
    CHECK(session.say("BDAT 5") == "discard 5: 503 5.5.2 Need mail command");
    CHECK(session.say("BDAT 5 LAST") == "discard 5: 503 5.5.2 Need mail command");
    CHECK(session.protocol.protocol_errors() == 0);
}

TEST_CASE(
    "attack case 13: after a failed chunk none is taken until RSET", "[smtp][receive][bdat]") {
    Session session(with_chunks());
    session.begin();
    session.say("BDAT 5");
    session.protocol.chunk_refused();

    CHECK(session.say("BDAT 5") == "discard 5: 503 5.5.1 Message has already been refused");
    CHECK(session.say("RSET") == "250 2.0.0 Resetting");
    session.begin();
    CHECK(session.say("BDAT 5") == "take 5");
    session.protocol.chunk_refused();
    CHECK(session.say("BDAT 5 LAST") == "discard 5: 503 5.5.1 Message has already been refused");
    CHECK(session.protocol.phase() == Phase::greeted);
    session.begin();
    CHECK(session.say("BDAT 5 LAST") == "take 5 last");
}

TEST_CASE("attack case 13: other commands between chunks", "[smtp][receive][bdat]") {
    Session session(with_chunks());
    session.begin();
    session.say("BDAT 5");

    CHECK(session.say("DATA") == "503 5.5.1 Message is sent with BDAT");
    CHECK(session.say("MAIL FROM:<a@b.example>") == "503 5.5.1 Message is not complete");
    CHECK(session.say("RCPT TO:<bob@contoso.com>") == "503 5.5.1 Message is not complete");
    CHECK(session.say("NOOP") == "250 2.0.0 OK");
    CHECK(session.say("BDAT 5") == "take 5");
    CHECK(session.say("RSET") == "250 2.0.0 Resetting");
    CHECK(session.protocol.phase() == Phase::greeted);
    session.begin();
    CHECK(session.say("DATA").starts_with("354 "));
}

TEST_CASE("RFC 3030 §3: binary content never comes by DATA", "[smtp][receive][bdat]") {
    Session session(with_chunks());
    session.begin("BODY=BINARYMIME");

    CHECK(session.say("DATA") == "503 5.5.1 BODY=BINARYMIME requires BDAT");
    CHECK(session.say("BDAT 5 LAST") == "take 5 last");
}

TEST_CASE("attack case 13: more than any message has is not waited for", "[smtp][receive][bdat]") {
    const bool in_transaction = GENERATE(false, true);
    const auto* line = GENERATE("BDAT 1000001", "BDAT 1000001 LAST", "BDAT 99999999999999999999");
    Session session(with_chunks());
    if (in_transaction) session.begin();

    CHECK(session.say(line) == "552 5.3.4 Message size exceeds fixed maximum message size");
    CHECK(session.over);
}

TEST_CASE("attack case 13: a BDAT without a length ends the session", "[smtp][receive][bdat]") {
    const auto* line = GENERATE("BDAT", "BDAT x LAST", "bdat -5", "BDAT 5 LAST 6");
    Session session(with_chunks());
    session.begin();

    CHECK(session.say(line) == "501 5.5.4 Invalid arguments");
    CHECK(session.over);

    Session without;
    without.begin();
    CHECK(without.say(line) == "502 5.5.1 Command not implemented");
    CHECK_FALSE(without.over);
}

TEST_CASE("attack case 17: endless empty chunks end with 421", "[smtp][receive][bdat]") {
    Session session(with_chunks());
    session.begin();
    for (std::uint32_t i = 0; i < kMaxIdleCommands; ++i)
        REQUIRE(session.say("BDAT 0") == "take 0");

    CHECK(session.say("BDAT 0").starts_with("421 4.7.0"));
    CHECK(session.over);
}
