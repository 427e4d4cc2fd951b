#include "transport/mail/utf8.hpp"

#include "transport/mail/encoded_word.hpp"

#include <catch2/catch.hpp>

#include <sstream>

namespace mailflow {

TEST_CASE("RFC 3629 section 4: each form at its borders", "[mail][utf8]") {
    struct Case {
        const char* text;
        std::size_t length;
    };

    const auto [text, length] = GENERATE(
        Case{"\x7f", 1},
        Case{"\xc2\x80", 2},
        Case{"\xdf\xbf", 2},
        Case{"\xe0\xa0\x80", 3},
        Case{"\xed\x9f\xbf", 3},
        Case{"\xee\x80\x80", 3},
        Case{"\xef\xbf\xbf", 3},
        Case{"\xf0\x90\x80\x80", 4},
        Case{"\xf4\x8f\xbf\xbf", 4},
        Case{"\xc1\xbf", 0},
        Case{"\xe0\x9f\xbf", 0},
        Case{"\xed\xa0\x80", 0},
        Case{"\xf0\x8f\xbf\xbf", 0},
        Case{"\xf4\x90\x80\x80", 0},
        Case{"\xf5\x80\x80\x80", 0},
        Case{"\x80", 0},
        Case{"\xe2\x82", 0},
        Case{"\xe2\x82(", 0});

    CHECK(utf8::sequence_length(text) == length);
    CHECK(utf8::is_valid(text) == (length != 0));
}

TEST_CASE("Characters have their numbers, and cutting keeps them whole", "[mail][utf8]") {
    CHECK(utf8::code_point("a") == 0x61);
    CHECK(utf8::code_point("\xc3\xbc") == 0xfc);
    CHECK(utf8::code_point("\xe2\x82\xac") == 0x20ac);
    CHECK(utf8::code_point("\xf0\x9f\x93\xa7") == 0x1f4e7);
    CHECK(utf8::cut("a\xc3\xbc", 2) == "a");
    CHECK(utf8::cut("a\xc3\xbc", 3) == "a\xc3\xbc");
    CHECK(utf8::cut("\xf0\x9f\x93\xa7", 3).empty());
}

TEST_CASE(
    "RFC 2047: what is not ASCII becomes encoded-words, each whole and short", "[mail][utf8]") {
    CHECK(encode_unstructured("plain =?utf-8?B?w7w=?=") == "plain =?utf-8?B?w7w=?=");
    CHECK(encode_unstructured("\xc3\xbc") == "=?utf-8?B?w7w=?=");
    CHECK(encode_unstructured("a\r\nb\xff") == "a??b?");

    std::string text;
    for (int i = 0; i < 100; ++i) {
        text += "\xe2\x82\xac";
    }
    std::istringstream words(encode_unstructured(text));
    for (std::string word; words >> word;) {
        CHECK(word.size() <= 75);
        CHECK(word.substr(word.size() - 2) == "?=");
    }
}

}  // namespace mailflow
