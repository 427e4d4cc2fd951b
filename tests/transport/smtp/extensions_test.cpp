#include "transport/smtp/extensions.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;
using namespace mailflow::smtp;

TEST_CASE("the announcement names what the session obeys and nothing else", "[smtp][extensions]") {
    CHECK(
        announcement({.size = 37748736}) ==
        "SIZE 37748736\nPIPELINING\nENHANCEDSTATUSCODES\n8BITMIME\nSMTPUTF8");
    CHECK(
        announcement(
            {.pipelining = false,
             .size = {},
             .eight_bit_mime = false,
             .smtputf8 = false,
             .enhanced_status_codes = false}) == "SIZE");
}

TEST_CASE("a peer's EHLO reply is read in any case and with junk between", "[smtp][extensions]") {
    const PeerReply reply{
        250,
        {},
        {"8BITMIME is only a greeting here",
         "pipelining",
         "Size 1000",
         " X-JUNK  a b",
         "",
         "8BitMime extra",
         "SMTPUTF8",
         "AUTH=LOGIN",
         "=",
         "SIZEX 5",
         "EnhancedStatusCodes"}};

    const auto peer = parse_extensions(reply);

    PeerExtensions expected{true, true, 1000, true, true, true};
    expected.auth = {"LOGIN"};
    CHECK(peer == expected);
}

TEST_CASE("the first line of an EHLO reply is no keyword", "[smtp][extensions]") {
    CHECK(parse_extensions({250, {}, {"PIPELINING"}}) == PeerExtensions{});
    CHECK(parse_extensions({250, {}, {}}) == PeerExtensions{});
}

TEST_CASE("RFC 1870: SIZE without a usable number is no limit", "[smtp][extensions]") {
    const auto* line =
        GENERATE("SIZE", "SIZE 0", "SIZE abc", "SIZE -1", "SIZE 99999999999999999999999");

    const auto peer = parse_extensions({250, {}, {"host", line}});

    CHECK(peer.size);
    CHECK(peer.max_size == 0);
}
