#include "transport/smtp/client_protocol.hpp"

#include "transport/smtp/limits.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;
using namespace mailflow::smtp;

namespace {

using Next = ClientProtocol::Next;

PeerReply reply(std::string_view wire) {
    ReplyParser parser;
    parser.feed(std::string(wire) + "\r\n");
    REQUIRE(parser.state() == ReplyParser::State::complete);
    return parser.take();
}

MailTransaction to(std::initializer_list<const char*> recipients) {
    MailTransaction transaction;
    transaction.reverse_path = *ReversePath::parse("<alice@example.com>");
    for (const auto* recipient : recipients)
        transaction.recipients.push_back(*EmailAddress::parse(recipient));
    transaction.size = 100;
    return transaction;
}

const PeerExtensions kPipelining{.pipelining = true};

// Says everything the client writes, answering each flight with the next replies; bodies are sent
// at once.
std::string converse(ClientProtocol& client, std::initializer_list<const char*> replies) {
    std::string said;
    const auto* next_reply = replies.begin();
    while (client.next() != Next::finished) {
        switch (client.next()) {
            case Next::write:
                said += client.take_flight();
                if (client.has_body_in_flight()) {
                    said += "<body>";
                    client.on_body_sent();
                }
                break;
            case Next::send_body:
                said += "<body>";
                client.on_body_sent();
                break;
            case Next::read:
                REQUIRE(next_reply != replies.end());
                said += "|";
                client.on_reply(reply(*next_reply++));
                break;
            case Next::finished: break;
        }
    }
    CHECK(next_reply == replies.end());
    return said;
}

// Writes what is to be written, for tests that look at the replies only.
void write_flight(ClientProtocol& client) {
    REQUIRE_FALSE(client.take_flight().empty());
}

std::string outcome(const ClientProtocol& client, std::size_t recipient) {
    const auto& o = client.outcomes().at(recipient);
    static constexpr const char* kStages[] = {
        "greeting", "hello", "mail", "rcpt", "data", "body", "end"};
    return std::string(kStages[static_cast<std::size_t>(o.stage)]) + ": " +
           (o.reply ? o.reply->one_line() : "-");
}

}  // namespace

TEST_CASE("without PIPELINING one command goes at a time", "[smtp][client]") {
    ClientProtocol client({}, to({"a@b.example", "c@d.example"}));

    const auto said = converse(client, {"250 ok", "250 ok", "250 ok", "354 go", "250 2.0.0 taken"});

    CHECK(
        said ==
        "MAIL FROM:<alice@example.com>\r\n|RCPT TO:<a@b.example>\r\n|RCPT "
        "TO:<c@d.example>\r\n|DATA\r\n|<body>|");
    CHECK(client.is_delivered());
    CHECK(outcome(client, 0) == "end: 250 2.0.0 taken");
    CHECK_FALSE(client.needs_reset());
    CHECK_FALSE(client.must_close());
}

TEST_CASE(
    "RFC 2920: with PIPELINING the whole envelope and DATA are one flight", "[smtp][client]") {
    ClientProtocol client(kPipelining, to({"a@b.example", "c@d.example"}));

    const auto said = converse(client, {"250 ok", "250 ok", "250 ok", "354 go", "250 taken"});

    CHECK(
        said ==
        "MAIL FROM:<alice@example.com>\r\nRCPT TO:<a@b.example>\r\nRCPT "
        "TO:<c@d.example>\r\nDATA\r\n||||<body>|");
    CHECK(client.is_delivered());
}

TEST_CASE("each recipient keeps its own reply", "[smtp][client]") {
    const auto pipelining = GENERATE(false, true);
    ClientProtocol client(
        {.pipelining = pipelining}, to({"a@b.example", "c@d.example", "e@f.example"}));

    converse(
        client,
        {"250 ok", "550 5.1.1 unknown", "250 ok", "451 4.2.0 later", "354 go", "250 taken"});

    CHECK(outcome(client, 0) == "rcpt: 550 5.1.1 unknown");
    CHECK(outcome(client, 1) == "end: 250 taken");
    CHECK(outcome(client, 2) == "rcpt: 451 4.2.0 later");
}

TEST_CASE("RFC 2033: after the dot each accepted recipient has its own reply", "[smtp][client]") {
    auto transaction = to({"a@contoso.com", "b@contoso.com", "c@contoso.com"});
    transaction.lmtp = true;
    ClientProtocol client(kPipelining, transaction);

    converse(
        client,
        {"250 ok",
         "250 ok",
         "550 5.1.1 no",
         "250 ok",
         "354 go",
         "250 2.1.5 kept",
         "452 4.2.2 full"});

    CHECK(outcome(client, 0) == "end: 250 2.1.5 kept");
    CHECK(outcome(client, 1) == "rcpt: 550 5.1.1 no");
    CHECK(outcome(client, 2) == "end: 452 4.2.2 full");
    CHECK(client.is_delivered());
    CHECK_FALSE(client.needs_reset());
}

TEST_CASE("MAIL refused ends it for all", "[smtp][client]") {
    ClientProtocol slow({}, to({"a@b.example", "c@d.example"}));
    converse(slow, {"550 5.7.1 no"});
    CHECK(outcome(slow, 1) == "mail: 550 5.7.1 no");
    CHECK_FALSE(slow.needs_reset());

    ClientProtocol fast(kPipelining, to({"a@b.example", "c@d.example"}));
    converse(fast, {"451 4.3.0 later", "503 need mail", "503 need mail", "503 need rcpt"});
    CHECK(outcome(fast, 0) == "mail: 451 4.3.0 later");
    CHECK(outcome(fast, 1) == "mail: 451 4.3.0 later");
}

TEST_CASE("nobody accepted: no DATA, or a lone dot when it was already out", "[smtp][client]") {
    ClientProtocol slow({}, to({"a@b.example"}));
    CHECK(
        converse(slow, {"250 ok", "550 no"}) ==
        "MAIL FROM:<alice@example.com>\r\n|RCPT TO:<a@b.example>\r\n|");
    CHECK(slow.needs_reset());

    ClientProtocol refused(kPipelining, to({"a@b.example"}));
    converse(refused, {"250 ok", "550 no", "554 no valid recipients"});
    CHECK(outcome(refused, 0) == "rcpt: 550 no");
    CHECK(refused.needs_reset());

    ClientProtocol taken(kPipelining, to({"a@b.example"}));
    const auto said = converse(taken, {"250 ok", "550 no", "354 go", "250 an empty message"});
    CHECK(said.ends_with("|||.\r\n|"));
    CHECK(outcome(taken, 0) == "rcpt: 550 no");
    CHECK_FALSE(taken.is_delivered());
    CHECK_FALSE(taken.needs_reset());
}

TEST_CASE("MAIL refused but DATA answered with 354: a lone dot", "[smtp][client]") {
    ClientProtocol client(kPipelining, to({"a@b.example"}));

    const auto said = converse(client, {"550 no", "250 ok", "354 go", "554 no"});

    CHECK(said.ends_with(".\r\n|"));
    CHECK(outcome(client, 0) == "mail: 550 no");
}

TEST_CASE("DATA refused fails those that were accepted", "[smtp][client]") {
    ClientProtocol client(kPipelining, to({"a@b.example", "c@d.example"}));

    converse(client, {"250 ok", "550 5.1.1 no", "250 ok", "554 5.7.1 content"});

    CHECK(outcome(client, 0) == "rcpt: 550 5.1.1 no");
    CHECK(outcome(client, 1) == "data: 554 5.7.1 content");
    CHECK(client.needs_reset());
}

TEST_CASE("421 anywhere is the last word", "[smtp][client]") {
    ClientProtocol at_mail(kPipelining, to({"a@b.example"}));
    converse(at_mail, {"421 4.3.2 bye"});
    CHECK(outcome(at_mail, 0) == "mail: 421 4.3.2 bye");
    CHECK(at_mail.must_close());

    ClientProtocol at_rcpt(kPipelining, to({"a@b.example", "c@d.example", "e@f.example"}));
    converse(at_rcpt, {"250 ok", "250 ok", "421 4.3.2 bye"});
    for (const std::size_t recipient : {0U, 1U, 2U})
        CHECK(outcome(at_rcpt, recipient) == "rcpt: 421 4.3.2 bye");

    ClientProtocol at_end({}, to({"a@b.example"}));
    converse(at_end, {"250 ok", "250 ok", "354 go", "421 4.3.2 bye"});
    CHECK(outcome(at_end, 0) == "end: 421 4.3.2 bye");
    CHECK(at_end.must_close());
    CHECK_FALSE(at_end.is_delivered());
}

TEST_CASE(
    "answers out of place leave the recipients open and the connection unusable",
    "[smtp][client]") {
    ClientProtocol at_data({}, to({"a@b.example"}));
    converse(at_data, {"250 ok", "250 ok", "250 what"});
    CHECK(outcome(at_data, 0) == "data: -");
    CHECK(at_data.must_close());

    // Attack case 39: 354 to the dot.
    ClientProtocol at_end({}, to({"a@b.example"}));
    converse(at_end, {"250 ok", "250 ok", "354 go", "354 go on"});
    CHECK(outcome(at_end, 0) == "end: -");
    CHECK(at_end.must_close());
    CHECK_FALSE(at_end.is_delivered());
}

TEST_CASE("a reply during the body decides only when it refuses", "[smtp][client]") {
    const auto before_body = [](ClientProtocol& client) {
        write_flight(client);
        for (const auto* line : {"250 ok", "250 ok", "354 go"})
            client.on_reply(reply(line));
        REQUIRE(client.next() == Next::send_body);
        CHECK(client.stage() == ClientStage::body);
    };
    ClientProtocol refused(kPipelining, to({"a@b.example"}));
    before_body(refused);
    refused.on_early_reply(reply("552 5.3.4 too big"));
    CHECK(outcome(refused, 0) == "end: 552 5.3.4 too big");
    CHECK(refused.must_close());

    ClientProtocol lost(kPipelining, to({"a@b.example"}));
    before_body(lost);
    lost.on_early_reply(reply("250 taken already"));
    CHECK(outcome(lost, 0) == "body: -");
    CHECK_FALSE(lost.is_delivered());
    CHECK(lost.must_close());
}

TEST_CASE("552 at RCPT means too many recipients only where it can", "[smtp][client]") {
    struct Row {
        const char* first;
        const char* second;
        bool too_many;
    };

    const auto row = GENERATE(
        Row{"250 ok", "552 too many", true},
        Row{"250 ok", "552 5.3.4 system full", true},
        Row{"250 ok", "552 5.2.2 mailbox full", false},
        Row{"550 no", "552 too many", false},
        Row{"250 ok", "550 too many", false});
    ClientProtocol client({}, to({"a@b.example", "c@d.example"}));
    write_flight(client);
    client.on_reply(reply("250 ok"));
    write_flight(client);
    client.on_reply(reply(row.first));
    write_flight(client);
    client.on_reply(reply(row.second));

    CHECK(client.outcomes()[1].means_too_many_recipients == row.too_many);
}

TEST_CASE(
    "parameters are given when the peer knows them and the message needs them", "[smtp][client]") {
    const PeerExtensions all{true, true, 0, true, true, true};
    auto plain = to({"a@b.example"});
    auto rich = to({"j\xc3\xb6rg@b.example"});
    rich.eight_bit = true;
    rich.smtputf8_header = true;

    CHECK(ClientProtocol(all, plain)
              .take_flight()
              .starts_with("MAIL FROM:<alice@example.com> SIZE=100\r\n"));
    CHECK(ClientProtocol(all, rich).take_flight().starts_with(
        "MAIL FROM:<alice@example.com> SIZE=100 BODY=8BITMIME SMTPUTF8\r\n"));
    CHECK(ClientProtocol({}, rich).take_flight() == "MAIL FROM:<alice@example.com>\r\n");
}

TEST_CASE("a null reverse-path is written as such", "[smtp][client]") {
    auto transaction = to({"a@b.example"});
    transaction.reverse_path = {};

    CHECK(ClientProtocol({}, transaction).take_flight() == "MAIL FROM:<>\r\n");
}

TEST_CASE("a peer that cannot take the message is found before the transaction", "[smtp][client]") {
    auto transaction = to({"a@b.example"});
    CHECK_FALSE(find_unfit({}, transaction));
    CHECK_FALSE(find_unfit({.size = true, .max_size = 0}, transaction));
    CHECK_FALSE(find_unfit({.size = true, .max_size = 100}, transaction));
    CHECK(find_unfit({.size = true, .max_size = 99}, transaction) == Unfit::too_large);
    transaction.smtputf8_header = true;
    CHECK(find_unfit({}, transaction) == Unfit::needs_utf8);
    CHECK_FALSE(find_unfit({.smtputf8 = true}, transaction));
    CHECK(find_unfit({}, to({"j\xc3\xb6rg@b.example"})) == Unfit::needs_utf8);
}

TEST_CASE("a flight is bounded however many recipients there are", "[smtp][client]") {
    MailTransaction transaction = to({"a@b.example"});
    for (int i = 1; i < 250; ++i)
        transaction.recipients.push_back(
            *EmailAddress::parse("r" + std::to_string(i) + "@b.example"));
    ClientProtocol client(kPipelining, transaction);
    std::size_t flights = 0;
    while (client.next() == Next::write) {
        const auto flight = client.take_flight();
        CHECK(flight.size() <= kMaxFlightOctets + kMinCommandLine);
        ++flights;
        const auto commands = std::count(flight.begin(), flight.end(), '\n');
        CHECK(commands <= static_cast<std::ptrdiff_t>(kMaxFlightCommands));
        for (std::ptrdiff_t i = 0; i < commands; ++i) {
            CHECK(client.next() == Next::read);
            client.on_reply(
                reply(flight.ends_with("DATA\r\n") && i + 1 == commands ? "354 go" : "250 ok"));
        }
    }

    CHECK(client.next() == Next::send_body);
    CHECK(flights == 3);
}

TEST_CASE("the stage follows the dialogue", "[smtp][client]") {
    ClientProtocol client({}, to({"a@b.example"}));
    CHECK(client.stage() == ClientStage::mail);
    write_flight(client);
    client.on_reply(reply("250 ok"));
    CHECK(client.stage() == ClientStage::rcpt);
    write_flight(client);
    client.on_reply(reply("250 ok"));
    CHECK(client.stage() == ClientStage::data);
    write_flight(client);
    client.on_reply(reply("354 go"));
    CHECK(client.stage() == ClientStage::body);
    client.on_body_sent();
    CHECK(client.stage() == ClientStage::end_of_data);
}

// ---- what is passed on

TEST_CASE("RFC 3461 §5.2.1: DSN parameters go to a peer that offers DSN", "[smtp][client]") {
    auto transaction = to({"bob@example.net", "carol@example.net", "dave@example.net"});
    transaction.dsn_return = DsnReturn::headers;
    transaction.envelope_id = "a+b c";
    transaction.dsn = {
        {.notify = 2 | 4 | 8, .original_recipient = "rfc822;Bob+1@old.example"},
        {.notify = 1,
         .original_recipient = "utf-8;b\xc3\xb6"
                               "b@old.example"},
        {}};
    const auto replies = {"250 ok", "250 ok", "250 ok", "250 ok", "354 go", "250 taken"};

    ClientProtocol with({.pipelining = true, .dsn = true}, transaction);
    CHECK(
        converse(with, replies) ==
        "MAIL FROM:<alice@example.com> RET=HDRS ENVID=a+2Bb+20c\r\n"
        "RCPT TO:<bob@example.net> NOTIFY=SUCCESS,FAILURE,DELAY "
        "ORCPT=rfc822;Bob+2B1@old.example\r\n"
        "RCPT TO:<carol@example.net> NOTIFY=NEVER ORCPT=utf-8;b\\x{F6}b@old.example\r\n"
        "RCPT TO:<dave@example.net>\r\n"
        "DATA\r\n|||||<body>|");

    ClientProtocol without(kPipelining, transaction);
    CHECK(
        converse(without, replies) ==
        "MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.net>\r\n"
        "RCPT TO:<carol@example.net>\r\nRCPT TO:<dave@example.net>\r\n"
        "DATA\r\n|||||<body>|");
}

TEST_CASE("RFC 6710, RFC 2852: priority and deadline go to who offers them", "[smtp][client]") {
    struct Row {
        PeerExtensions peer;
        std::int8_t priority;
        std::optional<DeliverBy> deliver_by;
        std::string parameters;
    };

    const PeerExtensions both{.mt_priority = true, .deliver_by = true};
    const Row table[] = {
        {both, 3, DeliverBy{120, true, false}, " MT-PRIORITY=3 BY=120;R"},
        {both, -9, DeliverBy{-20, false, true}, " MT-PRIORITY=-9 BY=-20;NT"},
        {both, 0, std::nullopt, ""},
        {{}, 4, DeliverBy{120, false, false}, ""},
    };
    for (const auto& row : table) {
        auto transaction = to({"bob@example.net"});
        transaction.priority = row.priority;
        transaction.deliver_by = row.deliver_by;
        CHECK_FALSE(find_unfit(row.peer, transaction));
        ClientProtocol client(row.peer, transaction);
        CHECK(client.take_flight() == "MAIL FROM:<alice@example.com>" + row.parameters + "\r\n");
    }
}

TEST_CASE("RFC 2852 §4: what is to be returned when late needs a peer that knows", "[smtp]") {
    using std::chrono::seconds;

    struct Row {
        PeerExtensions peer;
        DeliverBy deliver_by;
        std::optional<Unfit> unfit;
    };

    const PeerExtensions none;
    const PeerExtensions any{.deliver_by = true};
    const PeerExtensions slow{.deliver_by = true, .min_deliver_by = seconds(60)};
    const Row table[] = {
        {none, {100, true, false}, Unfit::no_deliver_by},
        {none, {100, false, false}, std::nullopt},
        {any, {1, true, false}, std::nullopt},
        {any, {0, true, false}, Unfit::too_late},
        {slow, {59, true, false}, Unfit::too_late},
        {slow, {60, true, false}, std::nullopt},
        {slow, {-5, false, false}, std::nullopt},
    };
    for (const auto& row : table) {
        auto transaction = to({"bob@example.net"});
        transaction.deliver_by = row.deliver_by;
        CHECK(find_unfit(row.peer, transaction) == row.unfit);
    }
}

TEST_CASE("RFC 3030: binary content leaves as one chunk, never by DATA", "[smtp][client]") {
    auto transaction = to({"bob@example.net", "carol@example.net"});
    transaction.size = 40'000;
    transaction.binary = true;
    transaction.eight_bit = true;
    CHECK(
        find_unfit({.eight_bit_mime = true, .chunking = true}, transaction) == Unfit::needs_binary);
    CHECK(find_unfit({.binary_mime = true}, transaction) == Unfit::needs_binary);
    const PeerExtensions peer{
        .pipelining = true, .eight_bit_mime = true, .chunking = true, .binary_mime = true};
    REQUIRE_FALSE(find_unfit(peer, transaction));

    ClientProtocol client(peer, transaction);

    CHECK(client.is_chunked());
    CHECK(client.chunk_command() == "BDAT 40000 LAST\r\n");
    CHECK(
        converse(client, {"250 ok", "550 5.1.1 no", "250 ok", "250 2.0.0 taken"}) ==
        "MAIL FROM:<alice@example.com> BODY=BINARYMIME\r\n"
        "RCPT TO:<bob@example.net>\r\nRCPT TO:<carol@example.net>\r\n|||<body>|");
    CHECK(client.is_delivered());
    CHECK_FALSE(client.needs_reset());
    CHECK(client.outcomes()[0].reply->code == 550);
    CHECK(client.outcomes()[1].reply->code == 250);
}

TEST_CASE("decisions §2.7: small content is part of the one flight", "[smtp][client]") {
    const PeerExtensions peer{.pipelining = true, .chunking = true};
    const std::string flight =
        "MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.net>\r\n<body>";

    ClientProtocol taken(peer, to({"bob@example.net"}));
    CHECK(converse(taken, {"250 ok", "250 ok", "250 2.0.0 taken"}) == flight + "|||");
    CHECK(taken.is_delivered());
    CHECK_FALSE(taken.needs_reset());

    ClientProtocol nobody(peer, to({"bob@example.net"}));
    CHECK(converse(nobody, {"250 ok", "550 5.1.1 no", "554 5.5.1 nobody"}) == flight + "|||");
    CHECK(outcome(nobody, 0) == "rcpt: 550 5.1.1 no");
    CHECK(nobody.needs_reset());

    ClientProtocol refused(peer, to({"bob@example.net"}));
    CHECK(converse(refused, {"550 5.7.1 no", "503 no", "503 no"}) == flight + "|||");
    CHECK(outcome(refused, 0) == "mail: 550 5.7.1 no");
    CHECK_FALSE(refused.is_delivered());
}

TEST_CASE(
    "RFC 3030: without a recipient no chunk is sent; after a refused one comes RSET", "[smtp]") {
    const PeerExtensions peer{.pipelining = true, .chunking = true, .binary_mime = true};
    auto transaction = to({"bob@example.net"});
    transaction.size = 40'000;
    transaction.binary = true;

    ClientProtocol nobody(peer, transaction);
    CHECK(converse(nobody, {"250 ok", "550 5.1.1 no"}).find("<body>") == std::string::npos);
    CHECK(nobody.needs_reset());

    ClientProtocol refused(peer, transaction);
    converse(refused, {"250 ok", "250 ok", "554 5.6.0 no"});
    CHECK(refused.needs_reset());
    CHECK(refused.outcomes()[0].stage == ClientStage::end_of_data);
}
