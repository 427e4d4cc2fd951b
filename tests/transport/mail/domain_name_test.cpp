#include "transport/mail/domain_name.hpp"

#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

DomainName domain(std::string_view text) {
    return DomainName::parse(text).value();
}

}  // namespace

TEST_CASE("Domains are kept as A-labels in lower case", "[mail][domain]") {
    struct Case {
        const char* text;
        const char* kept;
    };

    const auto [text, kept] = GENERATE(
        Case{"example.com", "example.com"},
        Case{"EXAMPLE.Com", "example.com"},
        Case{"localhost", "localhost"},
        Case{"a", "a"},
        Case{"1and1.com", "1and1.com"},
        Case{"x--y.example", "x--y.example"},
        Case{
            "b\xc3\xbc"
            "cher.example",
            "xn--bcher-kva.example"},
        Case{
            "B\xc3\x9c"
            "CHER.Example",
            "xn--bcher-kva.example"},
        Case{"xn--bcher-kva.example", "xn--bcher-kva.example"},
        // IDNA 2008, non-transitional: a sharp s stays one.
        Case{
            "stra\xc3\x9f"
            "e.example",
            "xn--strae-oqa.example"});

    CAPTURE(text);
    CHECK(domain(text).text() == kept);
    CHECK(domain(domain(text).text()) == domain(text));
}

TEST_CASE("Text that is no domain is refused", "[mail][domain]") {
    const auto* text = GENERATE(
        "",
        ".",
        "example.com.",
        ".example.com",
        "a..b",
        "-a.example",
        "a-.example",
        "a_b.example",
        "a b.example",
        " a.example",
        "a.example\r\n",
        "192.0.2.1",
        "[192.0.2.1]",
        "a@b",
        "a/b",
        "a*b",
        // Not UTF-8: a lone octet, an overlong slash, a surrogate, a control.
        "\xfc.example",
        "a\xc0\xaf.example",
        "\xed\xa0\x80.example",
        "b\xc3\xbc\x01.example",
        // ASCII that is no part of a label, beside letters that are: refused, never dropped.
        "b\xc3\xbc@x.example",
        "b\xc3\xbc$x.example",
        "b\xc3\xbc<x.example",
        "b\xc3\xbc_x.example",
        "b\xc3\xbc x.example",
        "b\xc3\xbc.a_b.example",
        // The same in full width, which is mapped.
        "b\xc3\xbc\xef\xbc\xa0x.example",
        // U+2028, and a full stop of another script that would begin with an empty label.
        "a\xe2\x80\xa8.example",
        "\xe3\x80\x82"
        "b\xc3\xbc.example");

    CAPTURE(text);
    CHECK(DomainName::parse(text).has_error());
    CHECK(DomainName::parse(std::string_view("a\0b.example", 11)).has_error());
}

TEST_CASE("A label holds 63 octets and a domain 255", "[mail][domain]") {
    const std::string label(63, 'a');
    const auto longest = label + '.' + label + '.' + label + '.' + label;
    REQUIRE(longest.size() == 255);

    CHECK(DomainName::parse(longest).has_value());
    CHECK(DomainName::parse(longest + 'a').error() == Error::too_large);
    CHECK(DomainName::parse(label + "a.example").error() == Error::too_large);
    CHECK(DomainName::parse(std::string(100'000, 'a')).error() == Error::too_large);
}

TEST_CASE("A domain is shown with U-labels where they come back as they were", "[mail][domain]") {
    CHECK(
        domain("xn--bcher-kva.example").display() ==
        "b\xc3\xbc"
        "cher.example");
    CHECK(domain("example.com").display() == "example.com");
    // Not Punycode of anything.
    CHECK(domain("xn--0.example").display() == "xn--0.example");
}

TEST_CASE("A domain lies within itself and what stands above it", "[mail][domain]") {
    CHECK(domain("mail.Example.com").is_within(domain("example.com")));
    CHECK(domain("example.com").is_within(domain("example.com")));
    CHECK_FALSE(domain("notexample.com").is_within(domain("example.com")));
    CHECK_FALSE(domain("example.com").is_within(domain("mail.example.com")));
    CHECK(domain("a.b.c").parent() == "b.c");
    CHECK(domain("c").parent().empty());
}

}  // namespace mailflow
