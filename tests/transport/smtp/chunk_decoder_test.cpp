#include "transport/smtp/chunk_decoder.hpp"

#include "transport/smtp/limits.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace mailflow;
using namespace mailflow::smtp;

namespace {

struct Decoded {
    std::string text;
    bool bare = false;
    bool long_line = false;
    std::uint64_t size = 0;
};

// Each chunk of its size, each fed in pieces of at most `piece` octets, behind it the next command.
Decoded decode(
    const std::vector<std::string>& chunks,
    std::size_t piece,
    BodyType body = BodyType::eight_bit_mime,
    BareNewlines rule = BareNewlines::reject) {
    constexpr std::string_view kBehind = "QUIT\r\n";
    ChunkDecoder decoder(body, rule);
    Decoded result;
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        const auto stream = chunks[i] + std::string(kBehind);
        decoder.begin(chunks[i].size(), i + 1 == chunks.size());
        std::string_view rest = stream;
        while (!decoder.is_chunk_complete()) {
            const auto taken = decoder.feed(rest.substr(0, piece), result.text);
            REQUIRE(taken > 0);
            rest.remove_prefix(taken);
            REQUIRE(decoder.left() == rest.size() - kBehind.size());
        }
        CHECK(rest == kBehind);
        CHECK(decoder.feed(rest, result.text) == 0);
        CHECK(decoder.is_complete() == (i + 1 == chunks.size()));
    }
    decoder.finish(result.text);
    CHECK(decoder.size() == result.text.size());
    result.bare = decoder.has_bare_newline();
    result.long_line = decoder.has_long_line();
    result.size = decoder.size();
    return result;
}

// Cuts `text` into two chunks at `at`.
std::vector<std::string> cut(const std::string& text, std::size_t at) {
    return {text.substr(0, at), text.substr(at)};
}

}  // namespace

TEST_CASE("RFC 3030 §2: exactly the octets announced are taken", "[smtp][bdat]") {
    const std::string text = "Subject: x\r\n\r\n.\r\n..\r\nbody\r\n";

    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        for (std::size_t at = 0; at <= text.size(); ++at) {
            const auto decoded = decode(cut(text, at), piece);
            CHECK(decoded.text == text);
            CHECK_FALSE(decoded.bare);
        }
    }
}

TEST_CASE("attack case 13: nothing at all is a message, too", "[smtp][bdat]") {
    CHECK(decode({""}, 1).text.empty());
    CHECK(decode({"a\r\n", ""}, 1).text == "a\r\n");
    CHECK(decode({"", "", "a\r\n"}, 1).text == "a\r\n");
}

TEST_CASE("attack cases 1 and 2: a lone CR or LF is seen wherever chunks end", "[smtp][bdat]") {
    const auto* text =
        GENERATE("a\nb\r\n", "a\rb\r\n", "\n", "a\r\r\n", "a\r\n\n", "a\r", "\r\n\r");

    for (std::size_t at = 0; at <= std::string(text).size(); ++at) {
        for (const std::size_t piece : {1U, 2U, 100U}) {
            CHECK(decode(cut(text, at), piece).bare);
        }
    }
    CHECK_FALSE(decode(cut("a\r\nb\r\n", 2), 1).bare);
}

TEST_CASE("a last line of text gets the CRLF it lacks", "[smtp][bdat]") {
    CHECK(decode({"a\r\nb"}, 1).text == "a\r\nb\r\n");
    CHECK(decode({"Subject: x"}, 3).text == "Subject: x\r\n");
    CHECK(decode({"a\r\nb"}, 1).size == 6);
}

TEST_CASE("a bare CR or LF becomes CRLF where the rule says so", "[smtp][bdat]") {
    struct Row {
        std::string text;
        std::string kept;
    };

    const auto row = GENERATE(
        Row{"a\nb\n", "a\r\nb\r\n"},
        Row{"a\rb\r", "a\r\nb\r\n"},
        Row{"a\r\nb\r\n", "a\r\nb\r\n"},
        Row{"a\r\r\nb", "a\r\n\r\nb\r\n"},
        Row{"a\n\r\nb", "a\r\n\r\nb\r\n"},
        Row{"\n.\nb", "\r\n.\r\nb\r\n"},
        Row{"\r", "\r\n"});

    for (std::size_t at = 0; at <= row.text.size(); ++at) {
        for (const std::size_t piece : {1U, 2U, 100U}) {
            const auto decoded =
                decode(cut(row.text, at), piece, BodyType::seven_bit, BareNewlines::normalize);
            CHECK(decoded.text == row.kept);
            CHECK_FALSE(decoded.bare);
        }
    }
}

TEST_CASE("RFC 3030 §3: a binary body is kept as it is, its header obeys lines", "[smtp][bdat]") {
    const std::string header = "Subject: x\r\nMIME-Version: 1.0\r\n\r\n";
    const std::string body("\0\n\r\x80 .\n.\r", 9);

    for (std::size_t at = 0; at <= header.size() + body.size(); ++at) {
        for (const std::size_t piece : {1U, 3U, 100U}) {
            const auto decoded = decode(
                cut(header + body, at), piece, BodyType::binary_mime, BareNewlines::normalize);
            CHECK(decoded.text == header + body);
            CHECK_FALSE(decoded.bare);
        }
    }
    CHECK(decode({"Subject: x\n\n" + body}, 1, BodyType::binary_mime).bare);
    CHECK(decode({"Subject: x\ry\r\n\r\n" + body}, 4, BodyType::binary_mime).bare);
    CHECK(decode({"Subject: x"}, 4, BodyType::binary_mime).text == "Subject: x\r\n");
    CHECK(decode({"\r\n" + body}, 2, BodyType::binary_mime).text == "\r\n" + body);
}

TEST_CASE("a line over the hard cap is noted across chunks", "[smtp][bdat]") {
    const std::string line(kMaxTextLine, 'x');
    const auto rule = GENERATE(BareNewlines::reject, BareNewlines::normalize);

    CHECK_FALSE(decode({line, "\r\na\r\n"}, line.size(), BodyType::seven_bit, rule).long_line);
    CHECK(decode({line, "x\r\na\r\n"}, line.size(), BodyType::seven_bit, rule).long_line);
    CHECK_FALSE(
        decode({"\r\n\r\n", line, line}, line.size(), BodyType::binary_mime, rule).long_line);
}
