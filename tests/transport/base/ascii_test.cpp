#include "transport/base/ascii.hpp"

#include <catch2/catch.hpp>

namespace mailflow::ascii {

TEST_CASE("Comparing without case knows ASCII letters only", "[base][ascii]") {
    CHECK(equal_ignoring_case("HeLo", "hElO"));
    CHECK_FALSE(equal_ignoring_case("helo", "hel"));
    CHECK_FALSE(equal_ignoring_case("@", "`"));
    CHECK_FALSE(equal_ignoring_case("\xc3\x9c", "\xc3\xbc"));
    CHECK(starts_with_ignoring_case("MAIL FROM", "mail"));
    CHECK_FALSE(starts_with_ignoring_case("ma", "mail"));
    CHECK(to_lower("ABC-\xc3\x9c") == "abc-\xc3\x9c");
}

TEST_CASE("Names are ordered without case, equal ones by their bytes", "[base][ascii]") {
    CHECK(less_ignoring_case("alpha", "BETA"));
    CHECK_FALSE(less_ignoring_case("BETA", "alpha"));
    CHECK(less_ignoring_case("A", "a"));
    CHECK_FALSE(less_ignoring_case("a", "a"));
}

TEST_CASE("A number is digits that fit, nothing else", "[base][ascii]") {
    CHECK(parse_number("0") == 0U);
    CHECK(parse_number("18446744073709551615") == UINT64_MAX);

    for (const auto* text :
         {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616", "99999999999999999999"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_number(text));
    }
}

TEST_CASE("Splitting keeps empty parts; trimming takes blanks and tabs", "[base][ascii]") {
    CHECK(split("a,,b", ',') == std::vector<std::string_view>{"a", "", "b"});
    CHECK(split("", ',') == std::vector<std::string_view>{""});
    CHECK(split(",", ',') == std::vector<std::string_view>{"", ""});
    CHECK(trimmed(" \t a b\t ") == "a b");
    CHECK(trimmed(" \t ").empty());
}

TEST_CASE("Escaped text holds no control byte, quote or backslash of its own", "[base][ascii]") {
    CHECK(escaped("a\r\nb\"c\\d\x7f") == "a\\x0d\\x0ab\\\"c\\\\d\\x7f");
    CHECK(escaped(std::string_view("\0", 1)) == "\\x00");
}

}  // namespace mailflow::ascii
