#include "transport/smtp/reply_parser.hpp"

#include "transport/smtp/limits.hpp"

#include <catch2/catch.hpp>

#include <optional>

using namespace mailflow;
using smtp::PeerReply;
using smtp::ReplyParser;

namespace {

struct Read {
    std::optional<PeerReply> reply;
    std::string failure;
    std::size_t taken = 0;
};

Read read(std::string_view bytes, std::size_t piece) {
    ReplyParser parser;
    Read result;
    while (result.taken < bytes.size() && parser.state() == ReplyParser::State::incomplete) {
        result.taken += parser.feed(bytes.substr(result.taken, piece));
    }
    if (parser.state() == ReplyParser::State::complete) result.reply = parser.take();
    result.failure = parser.failure();
    return result;
}

}  // namespace

TEST_CASE("replies are read whole and byte by byte", "[smtp][reply]") {
    struct Row {
        std::string_view wire;
        int code;
        const char* status;
        const char* one_line;
    };

    const auto row = GENERATE(
        Row{"250 OK\r\n", 250, "", "250 OK"},
        Row{"250\r\n", 250, "", "250"},
        Row{"250 \r\n", 250, "", "250"},
        Row{"550 5.1.1 User unknown\r\n", 550, "5.1.1", "550 5.1.1 User unknown"},
        Row{"550-5.1.1 User\r\n550 5.1.1 unknown\r\n", 550, "5.1.1", "550 5.1.1 User unknown"},
        Row{"550-User\r\n550 5.1.1 unknown\r\n", 550, "5.1.1", "550 User unknown"},
        Row{"550 4.1.1 odd\r\n", 550, "", "550 4.1.1 odd"},
        Row{"550 5.1 odd\r\n", 550, "", "550 5.1 odd"},
        Row{"250-a\r\n250-\r\n250 b\r\n", 250, "", "250 a b"},
        Row{"220 bare line feed\n", 220, "", "220 bare line feed"},
        Row{"250 tab\there\r\n", 250, "", "250 tab?here"},
        Row{"421 4.3.2 Service not available\r\n",
            421,
            "4.3.2",
            "421 4.3.2 Service not available"});

    for (const std::size_t piece : {row.wire.size(), std::size_t{1}}) {
        const auto result = read(row.wire, piece);

        INFO(row.wire);
        REQUIRE(result.reply);
        CHECK(result.reply->code == row.code);
        CHECK((result.reply->status.is_given() ? result.reply->status.text() : "") == row.status);
        CHECK(result.reply->one_line() == row.one_line);
        CHECK(result.taken == row.wire.size());
    }
}

TEST_CASE("what is no reply is refused whole and byte by byte", "[smtp][reply]") {
    const std::string_view wire = GENERATE(
        "HTTP/1.1 400 Bad Request\r\n",
        "25 OK\r\n",
        "\r\n",
        "2500 OK\r\n",
        "250_OK\r\n",
        "150 early\r\n",
        "650 late\r\n",
        "250-a\r\n251 b\r\n",
        "250-a\r\nb\r\n");

    CHECK(read(wire, wire.size()).failure == read(wire, 1).failure);
    CHECK_FALSE(read(wire, wire.size()).failure.empty());
}

TEST_CASE("octets behind a reply stay for the next one", "[smtp][reply]") {
    ReplyParser parser;
    const std::string_view wire = "250 first\r\n550 5.1.1 second\r\n";

    const auto first = parser.feed(wire);
    const auto reply = parser.take();
    CHECK(parser.is_fresh());
    const auto second = parser.feed(wire.substr(first));

    CHECK(first == 11);
    CHECK(reply.one_line() == "250 first");
    CHECK(second == wire.size() - first);
    CHECK(parser.take().one_line() == "550 5.1.1 second");
}

TEST_CASE("a long reply line is cut and keeps its verdict", "[smtp][reply]") {
    // Attack case 39: a reply of 8 kB.
    const auto result = read("550 5.1.1 " + std::string(8192, 'x') + "\r\n", 100);

    REQUIRE(result.reply);
    CHECK(result.reply->code == 550);
    CHECK(result.reply->lines.front().size() == smtp::kMaxPeerReplyLine - 4);
    CHECK(result.reply->one_line().size() == 1024);
}

TEST_CASE("a reply without end is given up in bounded memory", "[smtp][reply]") {
    const auto one_line = read("250 " + std::string(smtp::kMaxPeerReplyOctets, 'x'), 4096);
    std::string lines;
    for (std::size_t i = 0; i < smtp::kMaxPeerReplyLines; ++i)
        lines += "250-x\r\n";
    const auto many_lines = read(lines, 4096);

    CHECK(one_line.failure.starts_with("reply too long"));
    CHECK(many_lines.failure.starts_with("reply with too many lines"));
}
