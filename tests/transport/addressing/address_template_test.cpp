#include "transport/addressing/address_template.hpp"

#include "tests/transport/addressing/recipients.hpp"
#include "transport/addressing/transliteration.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace mailflow {

namespace {

AddressTemplate parsed(std::string_view text) {
    std::string why;
    auto result = AddressTemplate::parse(text, &why);
    INFO(why);
    REQUIRE(result.has_value());
    return *result;
}

std::string expanded(std::string_view text, const MailRecipient& recipient) {
    return parsed(text).expand(recipient).text();
}

MailRecipient named(std::string_view display_name) {
    auto recipient = david();
    recipient.display_name = display_name;
    return recipient;
}

}  // namespace

TEST_CASE(
    "Reference 4.2: tokens, counts and literals make a local part", "[addressing][template]") {
    struct Case {
        const char* text;
        const char* address;
    };

    const auto [text, result] = GENERATE(
        Case{"%m@contoso.com", "david@contoso.com"},
        Case{"@contoso.com", "david@contoso.com"},
        Case{"%g.%s@contoso.com", "David.Pelton@contoso.com"},
        Case{"%1g%s@contoso.com", "DPelton@contoso.com"},
        Case{"%g%1s@contoso.com", "DavidP@contoso.com"},
        Case{"%s.%g@contoso.com", "Pelton.David@contoso.com"},
        Case{"%1s%g@contoso.com", "PDavid@contoso.com"},
        Case{"%s%1g@contoso.com", "PeltonD@contoso.com"},
        Case{"%g.%i.%s@contoso.com", "David.Q.Pelton@contoso.com"},
        Case{"%d@contoso.com", "DavidQPelton@contoso.com"},
        Case{"%3d@contoso.com", "Dav@contoso.com"},
        Case{"%2m@contoso.com", "da@contoso.com"},
        Case{"%99s@contoso.com", "Pelton@contoso.com"},
        Case{"x-%m_1@contoso.com", "x-david_1@contoso.com"},
        Case{"%m%%home@contoso.com", "david%home@contoso.com"},
        Case{"info@contoso.com", "info@contoso.com"},
        Case{
            "%m@B\xc3\xbc"
            "cher.example",
            "david@xn--bcher-kva.example"});

    CAPTURE(text);
    CHECK(expanded(text, david()) == result);
}

TEST_CASE("Reference 4.2: %r replaces and removes before its token", "[addressing][template]") {
    struct Case {
        const char* text;
        const char* display_name;
        const char* address;
    };

    const auto [text, display_name, result] = GENERATE(
        Case{"%r._%d@d", "Mark M. Clark", "MarkM_Clark@d"},
        Case{"%r..%d@d", "Mark M. Clark", "MarkMClark@d"},
        Case{"%d@d", "John D. Doe", "JohnDDoe@d"},
        Case{"%r .%d@d", "Mark Clark", "Mark.Clark@d"},
        Case{"%r -%raa%d@d", "Mark Clark", "Mrk-Clrk@d"},
        Case{"%r''%d@d", "Shaun O'Neil", "ShaunONeil@d"},
        Case{"%r (%d@d", "Mark Clark", "MarkClark@d"},     // ignored: ( is illegal
        Case{"%ra(%d@d", "Mark Clark", "MarkClark@d"},     // ignored: the a stays
        Case{"%rMm%rmM%d@d", "Mama", "maMa@d"},            // each character once
        Case{"%rM\xc3\xb6%d@d", "Mama", "oeama@d"},        // the new one is spelled in ASCII
        Case{"%r\xc3\xb6o%d@d", "J\xc3\xb6rg", "Jorg@d"},  // the spelling chosen by hand
        Case{"%r\xc3\xb6\xc3\xb6%d@d", "J\xc3\xb6rg", "Jrg@d"},
        Case{"%rkc%2d@d", "kkx", "cc@d"},
        Case{"%rkk%2d@d", "kaxb", "ax@d"});

    CAPTURE(text, display_name);
    CHECK(expanded(text, named(display_name)) == result);
}

TEST_CASE("What no dot-string may hold is dropped from a property", "[addressing][template]") {
    struct Case {
        const char* display_name;
        const char* local;
    };

    const auto [display_name, local] = GENERATE(
        Case{"a b\tc", "abc"},
        Case{"a@b,c;d:e<f>g\"h\\i(j)k[l]", "abcdefghijkl"},
        Case{"!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~"},
        Case{"J\xc3\xb6rg M\xc3\xbcller", "JoergMueller"},
        Case{"\xc3\x96zil", "Oezil"},
        Case{
            "\xc3\x85sa Stra\xc3\x9f"
            "e",
            "AasaStrasse"},
        Case{
            "Fran\xc3\xa7ois \xc5\x81\xc3\xb3"
            "d\xc5\xba",
            "FrancoisLodz"},
        Case{"\xc3\x9e\xc3\xb3r \xc3\x86gir S\xc3\xb8ren", "ThorAegirSoeren"},
        Case{
            "2\xc3\x97"
            "3\xc3\xb7"
            "4",
            "234"},  // signs, not letters
        Case{"Li \xe6\x9d\x8e", "Li"},
        Case{
            "a\xff"
            "b",
            "ab"},  // not UTF-8
        Case{"a\r\nb", "ab"});

    CAPTURE(display_name);
    CHECK(parsed("%d@d").expand(named(display_name)).local() == local);
}

TEST_CASE("First letters are counted among those that are kept", "[addressing][template]") {
    CHECK(expanded("%1d@d", named("(Bob)")) == "B@d");
    CHECK(expanded("%1d@d", named("\xc3\x96zil")) == "Oe@d");
    CHECK(expanded("%2d@d", named("\xe6\x9d\x8e. Li")) == "Li@d");
}

TEST_CASE("Periods stand between other characters only", "[addressing][template]") {
    auto recipient = david();
    recipient.alias = ".d..q.";
    recipient.first_name = "";

    CHECK(expanded("%m@d", recipient) == "d.q@d");
    CHECK(expanded("%g.%s@d", recipient) == "Pelton@d");
    CHECK(expanded("%s.%g@d", recipient) == "Pelton@d");
    CHECK(expanded("%s.%g.%i@d", recipient) == "Pelton.Q@d");
    CHECK(expanded("a.%g.b@d", recipient) == "a.b@d");
}

TEST_CASE("Where nothing is left the alias is used, then the name", "[addressing][template]") {
    auto recipient = david();
    recipient.first_name = "\xe6\x9d\x8e";
    recipient.last_name = "";

    CHECK(expanded("%g.%s@d", recipient) == "david@d");

    recipient.alias = "\xe6\x9d\x8e";
    CHECK(expanded("%g.%s@d", recipient) == "DavidPelton@d");

    recipient.name = "\xe6\x9d\x8e";
    CHECK(expanded("%g.%s@d", recipient) == "recipient@d");
}

TEST_CASE("A local part is cut to 64 octets, and so is a numbered one", "[addressing][template]") {
    auto recipient = david();
    recipient.alias = std::string(63, 'a') + ".b";

    const auto address = parsed("%m@d").expand(recipient);

    CHECK(address.local() == std::string(63, 'a'));
    CHECK(numbered(address, 2).local() == std::string(63, 'a') + "2");
    CHECK(numbered(address, 12).local() == std::string(62, 'a') + "12");
    CHECK(numbered(address, 1) == address);
    CHECK(EmailAddress::parse(numbered(address, 100'000).text()).has_value());
}

TEST_CASE("A template is written as it is read, the domain as A-labels", "[addressing][template]") {
    CHECK(parsed("@contoso.com").text() == "%m@contoso.com");
    CHECK(
        parsed("%r._%r -%3d.x%%y@B\xc3\xbc"
               "cher.example")
            .text() == "%r._%r -%3d.x%%y@xn--bcher-kva.example");
    CHECK(parsed(parsed("%1g%s@D").text()).text() == "%1g%s@d");
}

TEST_CASE("A template that cannot be read says what is wrong and where", "[addressing][template]") {
    struct Case {
        const char* text;
        const char* why;
    };

    const auto [text, expected] = GENERATE(
        Case{"%m%x@d", "unknown token %x at character 3; tokens are %m %g %s %i %d and %r"},
        Case{"\xc3\xb6%x@d", "'\xc3\xb6' at character 1 is not ASCII"},
        Case{"%r\xc3\xb6o%x@d", "unknown token %x at character 5"},
        Case{"%M@d", "unknown token %M at character 1"},
        Case{"%3\xc3\xb6@d", "unknown token %\xc3\xb6 at character 1"},
        Case{"a%@d", "a lone % at character 2; %% is a percent sign"},
        Case{"%12@d", "a lone % at character 1"},
        Case{"%0g@d", "%0g at character 1: a count is from 1 to 999"},
        Case{"%1000g@d", "a count is from 1 to 999"},
        Case{"%99999999999999999999g@d", "a count is from 1 to 999"},
        Case{"a%r@d", "%r at character 2 needs two characters behind it"},
        Case{"a%rx@d", "%r at character 2 needs two characters behind it"},
        Case{"%rxy@d", "the %r before character 5 stands before no token"},
        Case{"%rxya@d", "the %r before character 5 stands before no token"},
        Case{"%rxy%%@d", "stands before no token"},
        Case{"a b@d", "' ' at character 2 cannot stand in an address"},
        Case{"SMTP:%m@d", "':' at character 5 cannot stand in an address"},
        Case{"a@b@d", "'@' at character 2 cannot stand in an address"},
        Case{".%m@d", "a period has a character or a token on both sides"},
        Case{"%m.@d", "a period has a character or a token on both sides"},
        Case{"%m..%g@d", "two periods stand next to each other"},
        Case{"%m", "a template ends with @ and a domain"},
        Case{"", "a template ends with @ and a domain"},
        Case{"%m@", "no domain stands behind the @"},
        Case{"%m@a_b", "'a_b' is no domain"},
        Case{"%m@*.contoso.com", "'*.contoso.com' is no domain"},
        Case{"%m@[192.0.2.1]", "'[192.0.2.1]' is no domain"},
        Case{"%m\xff@d", "the template is not UTF-8"});

    CAPTURE(text);
    std::string why;
    const auto result = AddressTemplate::parse(text, &why);
    CHECK(result.error() == Error::syntax);
    CHECK_THAT(why, Catch::Contains(expected));
}

TEST_CASE("The length of a template is limited", "[addressing][template]") {
    std::string why;

    CHECK(AddressTemplate::parse(std::string(65, 'a') + "@d", &why).error() == Error::syntax);
    CHECK(why == "a local part has at most 64 octets");
    CHECK(
        AddressTemplate::parse(std::string(kMaxTemplate, 'a') + "@d", nullptr).error() ==
        Error::too_large);
    CHECK(AddressTemplate::parse("%m", nullptr).error() == Error::syntax);
}

TEST_CASE("Every letter of the Latin blocks has letters or nothing", "[addressing][template]") {
    std::size_t spelled = 0;
    for (std::uint32_t c = 0; c < 0x400; ++c) {
        const auto spelling = ascii_spelling(c);
        CAPTURE(c);
        CHECK(spelling.size() <= 2);
        CHECK(std::all_of(spelling.begin(), spelling.end(), [](char letter) {
            return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
        }));
        CHECK((spelling.empty() || (c >= 0xc0 && c <= 0x24f)));
        spelled += spelling.empty() ? 0 : 1;
    }

    CHECK(spelled > 350);
    CHECK(ascii_spelling(0xf6) == "oe");
    CHECK(ascii_spelling(0xdf) == "ss");
    CHECK(ascii_spelling(0x24f) == "y");
    CHECK(ascii_spelling(0xd7).empty());
}

}  // namespace mailflow
