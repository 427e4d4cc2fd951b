// DATA both ways: decoder and encoder.
#include "transport/smtp/data_decoder.hpp"
#include "transport/smtp/data_encoder.hpp"
#include "transport/smtp/limits.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace mailflow;
using namespace mailflow::smtp;

namespace {

struct Decoded {
    std::string text;
    std::size_t taken = 0;
    bool complete = false;
    bool bare = false;
    bool long_line = false;

    friend bool operator==(const Decoded&, const Decoded&) = default;
};

Decoded decode(std::string_view wire, std::size_t piece, BareNewlines rule = BareNewlines::reject) {
    DataDecoder decoder(rule);
    Decoded result;
    while (result.taken < wire.size() && !decoder.is_complete()) {
        result.taken += decoder.feed(wire.substr(result.taken, piece), result.text);
    }
    result.complete = decoder.is_complete();
    result.bare = decoder.has_bare_newline();
    result.long_line = decoder.has_long_line();
    CHECK(decoder.size() == result.text.size());
    return result;
}

std::string encode(std::string_view text, std::size_t piece) {
    DataEncoder encoder;
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += piece)
        encoder.encode(text.substr(at, piece), out);
    encoder.finish(out);
    return out;
}

}  // namespace

TEST_CASE("RFC 5321 §4.5.2: DATA is decoded the same whole and byte by byte", "[smtp][data]") {
    struct Row {
        std::string_view wire;
        std::string_view text;
        bool complete;
        bool bare;
    };

    const auto row = GENERATE(
        Row{".\r\n", "", true, false},
        Row{"a\r\n.\r\n", "a\r\n", true, false},
        Row{"\r\n.\r\n", "\r\n", true, false},
        Row{"..a\r\n...\r\n.\r\n", ".a\r\n..\r\n", true, false},
        Row{".a\r\n.\r\n", "a\r\n", true, false},
        Row{"a.\r\nb\r\n.\r\n", "a.\r\nb\r\n", true, false},
        // Attack cases 1 and 2: none of these is the end, each is noted.
        Row{"a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", true, true},
        Row{"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", true, true},
        Row{"a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", true, true},
        Row{"a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", true, true},
        Row{"a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", true, true},
        Row{"a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", true, true},
        Row{"a\r\r\n.\r\n", "a\r\r\n", true, true},
        Row{"a\r\r\r\n.\r\n", "a\r\r\r\n", true, true},
        Row{"\n.\r\n", "\n.\r\n", false, true},
        Row{"a\r\n.\r", "a\r\n", false, false},
        Row{"a\r\n.", "a\r\n", false, false},
        Row{"a\r", "a\r", false, false},
        Row{"", "", false, false});

    INFO(row.wire);
    const auto whole = decode(row.wire, std::max<std::size_t>(row.wire.size(), 1));
    CHECK(whole.text == row.text);
    CHECK(whole.complete == row.complete);
    CHECK(whole.bare == row.bare);
    for (std::size_t piece = 1; piece < row.wire.size(); ++piece)
        CHECK(decode(row.wire, piece) == whole);
}

TEST_CASE("octets behind the end of data are not taken", "[smtp][data]") {
    const std::string_view wire = "a\r\n.\r\nMAIL FROM:<>\r\n";

    CHECK(decode(wire, wire.size()).taken == 6);
    CHECK(decode(wire, 1).taken == 6);
}

TEST_CASE("random octets give one verdict however they are cut", "[smtp][data]") {
    std::mt19937 random(1);
    const std::string_view alphabet = "\r\n.a";
    for (int round = 0; round < 2000; ++round) {
        std::string wire;
        for (int i = 0; i < 24; ++i)
            wire += alphabet[random() % alphabet.size()];

        const auto whole = decode(wire, wire.size());
        for (const std::size_t piece : {1U, 2U, 3U, 5U}) {
            INFO(Catch::StringMaker<std::string>::convert(wire));
            CHECK(decode(wire, piece) == whole);
        }
    }
}

TEST_CASE("lines over 998 octets pass, lines over the hard cap are noted", "[smtp][data]") {
    const std::string line(kMaxTextLine, 'x');

    for (const std::size_t piece :
         {std::size_t{64 * 1024}, std::size_t{1}, line.size() + 1, line.size() + 20}) {
        for (const auto rule : {BareNewlines::reject, BareNewlines::normalize}) {
            CHECK_FALSE(decode("a\r\n" + line + "\r\nb\r\n.\r\n", piece, rule).long_line);
            CHECK(decode("a\r\n" + line + "x\r\nb\r\n.\r\n", piece, rule).long_line);
            CHECK(decode(line + "x", piece, rule).long_line);
        }
    }
}

TEST_CASE("bare newlines become CRLF where the rule says so", "[smtp][data]") {
    struct Row {
        std::string_view wire;
        std::string_view text;
    };

    const auto row = GENERATE(
        Row{"a\nb\r\n.\r\n", "a\r\nb\r\n"},
        Row{"a\rb\r\n.\r\n", "a\r\nb\r\n"},
        Row{"a\n\nb\n\r\n.\r\n", "a\r\n\r\nb\r\n\r\n"},
        Row{"a\r\r\nb\r\n.\r\n", "a\r\n\r\nb\r\n"},
        // Attack cases 1 and 2: no lone dot between halves of a CRLF ends the message.
        Row{"a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
        Row{"a\n.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
        Row{"a\r\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
        Row{"a\r.\rb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
        Row{"a\r\n.\rb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
        Row{"a\r\n.\r\r\nb\r\n.\r\n", "a\r\n.\r\n\r\nb\r\n"},
        // RFC 5321 §4.5.2: stuffed where the client thinks a line begins.
        Row{"a\n..b\n...\r\n.\r\n", "a\r\n.b\r\n..\r\n"},
        Row{"a\r..b\r\n.\r\n", "a\r\n.b\r\n"},
        Row{"..a\r\n.\r\n", ".a\r\n"},
        Row{".\r\n", ""});

    INFO(row.wire);
    for (std::size_t piece = 1; piece <= row.wire.size(); ++piece) {
        const auto decoded = decode(row.wire, piece, BareNewlines::normalize);
        CHECK(decoded.text == row.text);
        CHECK(decoded.complete);
        CHECK(decoded.taken == row.wire.size());
        CHECK_FALSE(decoded.bare);
    }
}

TEST_CASE("attack case 1: the end of DATA is the same with every rule", "[smtp][data]") {
    std::mt19937 random(3);
    const std::string alphabet = "\r\n\r\n..a";
    for (int round = 0; round < 3000; ++round) {
        std::string wire;
        for (int i = 0; i < 24; ++i)
            wire += alphabet[random() % alphabet.size()];

        const auto strict = decode(wire, wire.size());
        const auto lenient = decode(wire, 1 + random() % 5, BareNewlines::normalize);

        INFO(Catch::StringMaker<std::string>::convert(wire));
        CHECK(lenient.complete == strict.complete);
        CHECK(lenient.taken == strict.taken);
        if (!strict.bare && strict.complete) CHECK(lenient.text == strict.text);
        CHECK_FALSE(decode(encode(lenient.text, 3), 4).bare);
    }
}

TEST_CASE("content is dot-stuffed and ended", "[smtp][data]") {
    struct Row {
        std::string_view text;
        std::string_view wire;
    };

    const auto row = GENERATE(
        Row{"", ".\r\n"},
        Row{"a\r\n", "a\r\n.\r\n"},
        Row{"a", "a\r\n.\r\n"},
        Row{".", "..\r\n.\r\n"},
        Row{".\r\n.\r\n", "..\r\n..\r\n.\r\n"},
        Row{"..a\r\nb.\r\n.c\r\n", "...a\r\nb.\r\n..c\r\n.\r\n"});

    INFO(row.text);
    for (std::size_t piece = 1; piece <= std::max<std::size_t>(row.text.size(), 1); ++piece) {
        CHECK(encode(row.text, piece) == row.wire);
    }
}

TEST_CASE(
    "attack case 3: no CR and no LF goes out alone, nor opens a way to an early end",
    "[smtp][data]") {
    struct Row {
        std::string_view text;
        std::string_view wire;
    };

    const auto row = GENERATE(
        Row{"a\nb\n", "a\r\nb\r\n.\r\n"},
        Row{"a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"},
        Row{"a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"},
        Row{"a\r.\rb", "a . b\r\n.\r\n"},
        Row{"a\r\r\nb", "a \r\nb\r\n.\r\n"},
        Row{"a\r\n.\r", "a\r\n.. \r\n.\r\n"},
        Row{"\r", " \r\n.\r\n"},
        Row{"\r.", " .\r\n.\r\n"});

    INFO(row.text);
    for (std::size_t piece = 1; piece <= std::max<std::size_t>(row.text.size(), 1); ++piece) {
        CHECK(encode(row.text, piece) == row.wire);
    }
}

TEST_CASE("what is encoded decodes to itself, however both are cut", "[smtp][data]") {
    std::mt19937 random(2);
    for (int round = 0; round < 500; ++round) {
        std::string text;
        while (text.size() < 40)
            text += std::array{"\r\n", ".", "a", "..", "bc"}[random() % 5];
        text += "\r\n";

        const auto decoded = decode(encode(text, 1 + random() % 7), 1 + random() % 7);

        CHECK(decoded.text == text);
        CHECK(decoded.complete);
        CHECK_FALSE(decoded.bare);
    }
}
