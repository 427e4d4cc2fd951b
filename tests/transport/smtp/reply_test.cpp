#include "transport/smtp/reply.hpp"

#include "transport/smtp/limits.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;
using smtp::make_reply;

TEST_CASE("a reply is written with code, enhanced code and text", "[smtp][reply]") {
    CHECK(make_reply(550, "5.1.1", "User unknown").wire() == "550 5.1.1 User unknown\r\n");
    CHECK(make_reply(250, "2.1.0", "Sender OK").wire() == "250 2.1.0 Sender OK\r\n");
}

TEST_CASE("a reply of several lines marks all but the last with a hyphen", "[smtp][reply]") {
    CHECK(make_reply(214, "2.0.0", "one\ntwo").wire() == "214-2.0.0 one\r\n214 2.0.0 two\r\n");
    CHECK(
        make_reply(250, "", "host Hello [192.0.2.1]\nSIZE 10").wire() ==
        "250-host Hello [192.0.2.1]\r\n250 SIZE 10\r\n");
}

TEST_CASE("RFC 2034: an enhanced code of another class is left out", "[smtp][reply]") {
    CHECK(make_reply(354, "2.0.0", "Go").wire() == "354 Go\r\n");
    CHECK(make_reply(550, "4.1.1", "No").wire() == "550 No\r\n");
}

TEST_CASE("control octets of a client never reach the wire", "[smtp][reply]") {
    CHECK(make_reply(550, "", "a\rb\x7f").wire() == "550 a?b?\r\n");
    CHECK(make_reply(501, "5.5.4", std::string("a\r\x01z")).wire() == "501 5.5.4 a??z\r\n");
}

TEST_CASE("RFC 5321 §4.5.3.1.5: a reply line is at most 512 octets", "[smtp][reply]") {
    const auto wire =
        make_reply(550, "5.1.1", std::string(600, 'x') + "\n" + std::string(700, 'y')).wire();

    const auto first_end = wire.find("\r\n");
    CHECK(first_end + 2 == smtp::kMaxReplyLine);
    CHECK(wire.size() == 2 * smtp::kMaxReplyLine);
}

TEST_CASE("a cut reply line does not end inside a UTF-8 sequence", "[smtp][reply]") {
    std::string text;
    while (text.size() < 600)
        text += "\xc3\xa9";

    const auto wire = make_reply(550, "", text).wire();
    const auto odd = make_reply(550, "", "x" + text).wire();

    CHECK(wire.size() == 4 + 506 + 2);
    CHECK(odd.size() == 4 + 505 + 2);
}

TEST_CASE("a reply for the log is one line", "[smtp][reply]") {
    CHECK(make_reply(214, "2.0.0", "one\ntwo\r").one_line() == "214 2.0.0 one; two?");
}

TEST_CASE("a malformed enhanced code in our own text is a broken invariant", "[smtp][reply]") {
    CHECK_THROWS(make_reply(550, "5.1", "x"));
}
