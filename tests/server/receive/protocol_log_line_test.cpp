#include "server/receive/protocol_log_line.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace mailflow;

namespace {

std::string field(std::string_view text) {
    std::string line;
    append_csv_field(line, text);
    return line;
}

}  // namespace

TEST_CASE("A log field is quoted when CSV needs it", "[protocol-log]") {
    const std::vector<std::pair<std::string, std::string>> table = {
        {"", ""},
        {"EHLO client.example", "EHLO client.example"},
        {"a,b", "\"a,b\""},
        {"say \"hi\"", "\"say \"\"hi\"\"\""},
        {"Zoë <zoë@exämple.de>", "Zoë <zoë@exämple.de>"},
        {"back\\slash", "back\\\\slash"}};

    for (const auto& [given, wanted] : table) {
        CHECK(field(given) == wanted);
    }
}

// Attack case 27.
TEST_CASE(
    "Attack case 27: no octet of a client ends a log line or a field of it", "[protocol-log]") {
    const std::vector<std::pair<std::string, std::string>> table = {
        {"a\r\n2026-11-23T00:00:00.000Z,forged", "\"a\\x0d\\x0a2026-11-23T00:00:00.000Z,forged\""},
        {std::string("nul\0nul", 7), "nul\\x00nul"},
        {"\x1b[2J", "\\x1b[2J"},
        {"\x7f", "\\x7f"},
        {"next\xc2\x85line", "next\\xc2\\x85line"},
        {"sep\xe2\x80\xa8\xe2\x80\xa9", "sep\\xe2\\x80\\xa8\\xe2\\x80\\xa9"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc0\xaf", "\\xc0\\xaf"},                    // overlong
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // a surrogate
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // beyond Unicode
        {"cut\xe2\x82", "cut\\xe2\\x82"}};

    for (const auto& [given, wanted] : table) {
        CHECK(field(given) == wanted);
    }
    for (int octet = 0; octet < 256; ++octet) {
        const auto line = field(std::string(3, static_cast<char>(octet)));
        CHECK(line.find_first_of("\r\n") == std::string::npos);
    }
}

TEST_CASE("A long log field is cut and says by how much", "[protocol-log]") {
    const auto line = field(std::string(kMaxProtocolLogData + 17, 'x'));

    CHECK(line == std::string(kMaxProtocolLogData, 'x') + " [17 octets more]");
}

TEST_CASE("A log line is read back as it was written", "[protocol-log]") {
    const auto line = parse_protocol_log_line(
        "2026-11-23T08:40:16.123Z,\"Printers, 2nd floor\",08DC000000000001,7,127.0.0.1:2525,"
        "[2001:db8::1]:4711,<,\"MAIL FROM:<\"\"a,b\"\"@contoso.com>\",why");

    REQUIRE(line);
    CHECK(line->date_time == "2026-11-23T08:40:16.123Z");
    CHECK(line->connector == "Printers, 2nd floor");
    CHECK(line->session == "08DC000000000001");
    CHECK(line->sequence == 7);
    CHECK(line->local == "127.0.0.1:2525");
    CHECK(line->remote == "[2001:db8::1]:4711");
    CHECK(line->event == "<");
    CHECK(line->data == "MAIL FROM:<\"a,b\"@contoso.com>");
    CHECK(line->context == "why");
}

TEST_CASE("What is no log line is not read as one", "[protocol-log]") {
    for (const std::string given :
         {"",
          "#Software: mailflow",
          "a,b,c",
          "t,c,s,1,l,r,<,data",            // a field is missing
          "t,c,s,1,l,r,<,data,context,x",  // one too many
          "t,c,s,one,l,r,<,data,context",  // no number
          "t,c,s,1,l,r,<,\"data,context",  // the quote does not end
          "t,c,s,1,l,r,<,\"data\"x,context"}) {
        CAPTURE(given);
        CHECK(!parse_protocol_log_line(given));
    }
    CHECK(parse_protocol_log_line("t,c,s,1,l,r,+,,"));
}
