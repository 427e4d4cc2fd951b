#include "transport/mail/email_address.hpp"

#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

EmailAddress address(std::string_view text) {
    return EmailAddress::parse(text).value();
}

}  // namespace

TEST_CASE("RFC 5321 section 4.1.2: mailboxes are read and written in one form", "[mail][address]") {
    struct Case {
        const char* text;
        const char* local;
        const char* written;
    };

    const auto [text, local, written] = GENERATE(
        Case{"alice@example.com", "alice", "alice@example.com"},
        Case{"Alice.B@EXAMPLE.com", "Alice.B", "Alice.B@example.com"},
        Case{"!#$%&'*+-/=?^_`{|}~@d", "!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~@d"},
        Case{R"("alice"@d)", "alice", "alice@d"},
        Case{R"("a\lice"@d)", "alice", "alice@d"},
        Case{R"("a b"@d)", "a b", R"("a b"@d)"},
        Case{R"("a\"b"@d)", "a\"b", R"("a\"b"@d)"},
        Case{R"("a\\b"@d)", "a\\b", R"("a\\b"@d)"},
        Case{R"("a@b"@d)", "a@b", R"("a@b"@d)"},
        Case{R"("a>b,c;"@d)", "a>b,c;", R"("a>b,c;"@d)"},
        Case{R"(".a"@d)", ".a", R"(".a"@d)"},
        Case{R"("a..b"@d)", "a..b", R"("a..b"@d)"},
        Case{R"(""@d)", "", R"(""@d)"},
        Case{"a@[192.0.2.1]", "a", "a@[192.0.2.1]"},
        Case{"a@[IPv6:2001:DB8::1]", "a", "a@[IPv6:2001:db8::1]"},
        Case{"a@[ipv6:::ffff:192.0.2.1]", "a", "a@[192.0.2.1]"},
        Case{
            "\xc3\xbc@b\xc3\xbc"
            "cher.example",
            "\xc3\xbc",
            "\xc3\xbc@xn--bcher-kva.example"},
        Case{"\xf0\x9f\x93\xa7@d", "\xf0\x9f\x93\xa7", "\xf0\x9f\x93\xa7@d"},
        Case{"\"\xc3\xbc x\"@d", "\xc3\xbc x", "\"\xc3\xbc x\"@d"});

    CAPTURE(text);
    CHECK(address(text).local() == local);
    CHECK(address(text).text() == written);
    CHECK(address(address(text).text()) == address(text));
}

TEST_CASE("Text that is no mailbox is refused", "[mail][address]") {
    const auto* text = GENERATE(
        "",
        "@",
        "alice",
        "alice@",
        "@d",
        ".a@d",
        "a.@d",
        "a..b@d",
        "a b@d",
        "a@b@d",
        "a(c)@d",
        "a<@d",
        "\"a@d",
        "\"a\"b@d",
        "\"a\\\"@d",
        "\"a\"\"b\"@d",
        "a\"b\"@d",
        "alice@d ",
        " alice@d",
        "a@[192.0.2.256]",
        "a@[192.0.2.1",
        "a@[]",
        "a@[2001:db8::1]",
        "a@[IPv6:192.0.2.1]",
        "a@[IPv6:fe80::1%eth0]",
        "a@[x:y]",
        "a@192.0.2.1",
        "a@d_e",
        "a@d.",
        "a\r\n@d",
        "\"a\r\nb\"@d",
        "\"a\tb\"@d",
        "\"a\\\tb\"@d",
        "\x7f@d");

    CAPTURE(text);
    CHECK(EmailAddress::parse(text).error() == Error::syntax);
}

TEST_CASE(
    "RFC 6531 section 3.3: only well-formed UTF-8 stands for a local part", "[mail][address]") {
    const auto* local = GENERATE(
        "\x80",              // a tail alone
        "\xc3",              // cut short
        "\xc3(",             // tail missing
        "\xc0\xaf",          // overlong in two
        "\xe0\x80\xaf",      // overlong in three
        "\xf0\x80\x80\xaf",  // overlong in four
        "\xed\xa0\x80",      // a surrogate
        "\xf4\x90\x80\x80",  // over U+10FFFF
        "\xf8\x88\x80\x80\x80",
        "\xff",
        "\xc2\x85");  // next line, a control of C1

    CAPTURE(local);
    CHECK(EmailAddress::parse(std::string(local) + "@d").has_error());
    CHECK(EmailAddress::parse('"' + std::string(local) + "\"@d").has_error());
    CHECK(EmailAddress::parse("\"\\\xc3\xbc\"@d").has_error());  // quoted pairs are ASCII
    CHECK(EmailAddress::parse(std::string_view("a\0b@d", 5)).has_error());
}

TEST_CASE("A local part holds 64 octets, as it is written", "[mail][address]") {
    CHECK(EmailAddress::parse(std::string(64, 'a') + "@d").has_value());
    CHECK(EmailAddress::parse(std::string(65, 'a') + "@d").error() == Error::too_large);
    CHECK(EmailAddress::parse('"' + std::string(62, ' ') + "\"@d").has_value());
    CHECK(EmailAddress::parse('"' + std::string(63, ' ') + "\"@d").error() == Error::too_large);
    CHECK(EmailAddress::parse(std::string(10'000, 'a') + "@d").error() == Error::too_large);
    CHECK(EmailAddress::parse("a@" + std::string(256, 'd')).error() == Error::too_large);
}

TEST_CASE("Local parts are compared exactly, domains without case", "[mail][address]") {
    CHECK(address("a@Example.COM") == address("\"a\"@example.com"));
    CHECK_FALSE(address("A@example.com") == address("a@example.com"));
    CHECK(address("A@Example.com").lookup_key() == "a@example.com");
    CHECK(address("\"A B\"@D").lookup_key() == "\"a b\"@d");
}

TEST_CASE(
    "An address knows its domain or its literal, and whether it needs SMTPUTF8",
    "[mail][address]") {
    const auto plain = address(
        "a@b\xc3\xbc"
        "cher.example");
    const auto literal = address("a@[192.0.2.1]");

    CHECK(plain.domain()->text() == "xn--bcher-kva.example");
    CHECK_FALSE(plain.literal());
    CHECK_FALSE(plain.needs_smtputf8());
    CHECK_FALSE(literal.domain());
    CHECK(literal.literal()->text() == "192.0.2.1");
    CHECK(address("\xc3\xbc@d").needs_smtputf8());
    CHECK(EmailAddress::of("a b", DomainName::parse("d").value()) == address("\"a b\"@d"));
}

}  // namespace mailflow
