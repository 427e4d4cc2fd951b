#include "server/receive/proxy_protocol.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using namespace mailflow;
using State = ProxyHeaderParser::State;

namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string octets(std::initializer_list<int> values) {
    std::string text;
    for (const int value : values) {
        text += static_cast<char>(value);
    }
    return text;
}

const std::string kV4 =
    kSignature + octets({0x21, 0x11, 0, 12, 203, 0, 113, 7, 192, 0, 2, 1, 0x9c, 0x40, 0, 25});

// Feeds what is asked for, at most `piece` octets at once; what was not asked for stays in `rest`.
ProxyHeaderParser parse(std::string_view& rest, std::size_t piece) {
    ProxyHeaderParser parser;
    while (parser.state() == State::incomplete && !rest.empty()) {
        const auto count = std::min({parser.wanted(), rest.size(), piece});
        REQUIRE(count > 0);
        parser.feed(rest.substr(0, count));
        rest.remove_prefix(count);
    }
    return parser;
}

void check_accepted(const std::string& header, const char* source, const char* destination) {
    for (const std::size_t piece : {1U, 3U, 4096U}) {
        CAPTURE(header, piece);
        const auto all = header + "EHLO c.example\r\n";
        std::string_view rest = all;

        const auto parser = parse(rest, piece);

        CHECK(parser.state() == State::complete);
        CHECK(rest == "EHLO c.example\r\n");
        const auto& seen = parser.header();
        CHECK((seen.source ? seen.source->text() : "") == source);
        CHECK((seen.destination ? seen.destination->text() : "") == destination);
    }
}

}  // namespace

TEST_CASE("a PROXY header says for whom, and not one octet more is taken", "[receive][proxy]") {
    check_accepted(
        "PROXY TCP4 203.0.113.7 192.0.2.1 40000 25\r\n", "203.0.113.7:40000", "192.0.2.1:25");
    check_accepted(
        "PROXY TCP6 2001:db8::7 2001:db8::1 65535 0\r\n", "[2001:db8::7]:65535", "[2001:db8::1]:0");
    check_accepted(kV4, "203.0.113.7:40000", "192.0.2.1:25");
    std::string v6 = kSignature + octets({0x21, 0x21, 0, 36});
    v6 += octets({0x20, 1, 0xd, 0xb8}) + std::string(11, '\0') + octets({7});
    v6 += octets({0x20, 1, 0xd, 0xb8}) + std::string(11, '\0') + octets({1});
    check_accepted(v6 + octets({0, 1, 0, 25}), "[2001:db8::7]:1", "[2001:db8::1]:25");
}

TEST_CASE("TLVs behind the addresses are passed over", "[receive][proxy]") {
    auto header = kV4 + octets({4, 0, 3}) + "pad";
    header[15] = static_cast<char>(18);

    check_accepted(header, "203.0.113.7:40000", "192.0.2.1:25");
}

TEST_CASE("a balancer may speak for itself", "[receive][proxy]") {
    check_accepted("PROXY UNKNOWN\r\n", "", "");
    check_accepted("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "", "");
    check_accepted(kSignature + octets({0x20, 0x00, 0, 0}), "", "");
    check_accepted(kSignature + octets({0x20, 0x11, 0, 2, 1, 2}), "", "");
    check_accepted(kSignature + octets({0x21, 0x00, 0, 0}), "", "");
    check_accepted(kSignature + octets({0x21, 0x31, 0, 216}) + std::string(216, 'x'), "", "");
}

TEST_CASE("what is no PROXY header is not taken for one", "[receive][proxy]") {
    const std::vector<std::string> cases = {
        "EHLO c.example\r\n",
        "PROXY\r\n\r\n\r\n\r\n",
        "PROXX TCP4 203.0.113.7 192.0.2.1 40000 25\r\n",
        "proxy TCP4 203.0.113.7 192.0.2.1 40000 25\r\n",
        "PROXY TCP5 203.0.113.7 192.0.2.1 40000 25\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 40000\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 40000 25 \r\n",
        "PROXY TCP4  203.0.113.7 192.0.2.1 40000 25\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 40000 65536\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 040000 25\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 -1 25\r\n",
        "PROXY TCP4 203.0.113.256 192.0.2.1 40000 25\r\n",
        "PROXY TCP4 2001:db8::7 192.0.2.1 40000 25\r\n",
        "PROXY TCP6 203.0.113.7 192.0.2.1 40000 25\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 40000 25\n\r\n",
        "PROXY UNKNOWN\rx\r\n",
        "PROXY UNKNOWN " + std::string(200, 'x') + "\r\n",
        kSignature + octets({0x11, 0x11, 0, 12}) + std::string(12, '\1'),
        kSignature + octets({0x22, 0x11, 0, 12}) + std::string(12, '\1'),
        kSignature + octets({0x21, 0x12, 0, 12}) + std::string(12, '\1'),
        kSignature + octets({0x21, 0x11, 0, 11}) + std::string(11, '\1'),
        kSignature + octets({0x21, 0x21, 0, 35}) + std::string(35, '\1'),
        kSignature + octets({0x21, 0x11, 0xff, 0xff}) + std::string(100, '\1'),
    };
    for (const auto& text : cases) {
        for (const std::size_t piece : {1U, 4096U}) {
            CAPTURE(text, piece);
            std::string_view rest = text;

            const auto parser = parse(rest, piece);

            CHECK(parser.state() == State::malformed);
            CHECK(parser.wanted() == 0);
        }
    }
}
