#include "transport/smtp/extensions.hpp"

#include "transport/smtp/limits.hpp"

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

TEST_CASE("each extension has its line, in the order of the reference", "[smtp][extensions]") {
    ExtensionSet all;
    all.size = 37748736;
    all.chunking = all.binary_mime = all.dsn = all.start_tls = true;
    all.auth = {"PLAIN", "LOGIN", "SCRAM-SHA-256"};
    all.require_tls = all.limits = all.mt_priority = all.future_release = all.deliver_by = true;
    all.xclient = all.verify = true;
    all.max_mails = 100;
    all.max_recipients = 200;
    all.max_hold = std::chrono::hours(24);
    all.hold_until_limit = UtcTime(std::chrono::seconds(1893456000));
    all.min_deliver_by = std::chrono::seconds(60);

    CHECK(
        announcement(all) ==
        "SIZE 37748736\nPIPELINING\nDSN\nENHANCEDSTATUSCODES\nSTARTTLS\n"
        "AUTH PLAIN LOGIN SCRAM-SHA-256\n8BITMIME\nBINARYMIME\nCHUNKING\nSMTPUTF8\nREQUIRETLS\n"
        "LIMITS MAILMAX=100 RCPTMAX=200\nMT-PRIORITY MIXER\n"
        "FUTURERELEASE 86400 2030-01-01T00:00:00Z\nDELIVERBY 60\n"
        "XCLIENT NAME ADDR PORT PROTO HELO LOGIN");
}

TEST_CASE("what depends on something else is announced with it alone", "[smtp][extensions]") {
    ExtensionSet few;
    few.pipelining = few.eight_bit_mime = few.smtputf8 = few.enhanced_status_codes = false;
    few.binary_mime = few.limits = few.deliver_by = true;
    few.size = 1000;
    few.size_value = false;

    CHECK(announcement(few) == "SIZE\nDELIVERBY");
    few.chunking = true;
    few.max_recipients = 5;
    CHECK(announcement(few) == "SIZE\nBINARYMIME\nCHUNKING\nLIMITS RCPTMAX=5\nDELIVERBY");
    few.announce_size = few.chunking = few.limits = few.deliver_by = false;
    CHECK(announcement(few).empty());
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

TEST_CASE("all a peer can say is read", "[smtp][extensions]") {
    const auto peer = parse_extensions(
        {250,
         {},
         {"host",
          "starttls",
          "AUTH  plain LOGIN plain",
          "AUTH=LOGIN EXTERNAL",
          "DSN",
          "CHUNKING",
          "BINARYMIME",
          "REQUIRETLS",
          "LIMITS MAILMAX=10 rcptmax=20 RCPTDOMAINMAX=1 FOO=3 BAR",
          "MT-PRIORITY mixer",
          "FUTURERELEASE 86400 2030-01-01T00:00:00Z",
          "DELIVERBY 240,x"}});

    CHECK(peer.start_tls);
    CHECK(peer.auth == std::vector<std::string>{"PLAIN", "LOGIN", "EXTERNAL"});
    CHECK(peer.dsn);
    CHECK(peer.chunking);
    CHECK(peer.binary_mime);
    CHECK(peer.require_tls);
    CHECK(peer.max_mails == 10);
    CHECK(peer.max_recipients == 20);
    CHECK(peer.max_recipient_domains == 1);
    CHECK(peer.mt_priority);
    CHECK(peer.mt_priority_profile == "MIXER");
    CHECK(peer.future_release);
    CHECK(peer.max_hold == std::chrono::hours(24));
    CHECK(peer.hold_until_limit == UtcTime(std::chrono::seconds(1893456000)));
    CHECK(peer.deliver_by);
    CHECK(peer.min_deliver_by == std::chrono::seconds(240));
}

TEST_CASE("limits and times of a peer that are none are passed over", "[smtp][extensions]") {
    const auto* line = GENERATE(
        "LIMITS",
        "LIMITS RCPTMAX",
        "LIMITS RCPTMAX=",
        "LIMITS RCPTMAX=0",
        "LIMITS MAILMAX=-1 RCPTDOMAINMAX=99999999999",
        "FUTURERELEASE",
        "FUTURERELEASE 86400",
        "FUTURERELEASE x 2030-01-01T00:00:00Z",
        "FUTURERELEASE 86400 soon");

    CHECK(parse_extensions({250, {}, {"host", line}}) == PeerExtensions{});
    CHECK(parse_extensions({250, {}, {"host", "DELIVERBY -5"}}).min_deliver_by.count() == 0);
    CHECK(parse_extensions({250, {}, {"host", "DELIVERBY"}}).deliver_by);
}

TEST_CASE("the mechanisms kept of a peer are bounded", "[smtp][extensions]") {
    std::string line = "AUTH";
    for (int i = 0; i < 1000; ++i)
        line += " M" + std::to_string(i);

    CHECK(parse_extensions({250, {}, {"host", line}}).auth.size() == kMaxPeerMechanisms);
}
