#include "transport/mail/path.hpp"

#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

TEST_CASE("RFC 5321 section 4.1.2: paths are read; a source route is dropped", "[mail][path]") {
    struct Case {
        const char* text;
        const char* written;
    };

    const auto [text, written] = GENERATE(
        Case{"<alice@example.com>", "alice@example.com"},
        Case{"<@a:alice@d>", "alice@d"},
        Case{"<@a.example,@b.example:alice@d>", "alice@d"},
        Case{"<\"a>b\"@d>", "\"a>b\"@d"},
        Case{"<a@[192.0.2.1]>", "a@[192.0.2.1]"});

    CAPTURE(text);
    CHECK(ReversePath::parse(text).value().text() == written);
    CHECK(ForwardPath::parse(text).value().text() == written);
}

TEST_CASE("Text that is no path is refused", "[mail][path]") {
    const auto* text = GENERATE(
        "",
        "<",
        ">",
        "alice@d",
        "<alice@d",
        "alice@d>",
        "<alice>",
        "<alice@d> ",
        " <alice@d>",
        "<<alice@d>>",
        "< >",
        "<@a>",
        "<@a:>",
        "<@a;alice@d>",
        "<@a,b:alice@d>",
        "<@a,:alice@d>",
        "<@:alice@d>",
        "<@a_b:alice@d>",
        "<@a:postmaster>",
        "<\"postmaster\">",
        "<alice@d>SIZE=1");

    CAPTURE(text);
    CHECK(ReversePath::parse(text).has_error());
    CHECK(ForwardPath::parse(text).has_error());
}

TEST_CASE("RFC 5321 section 4.5.3.1.3: a path holds 256 octets with its brackets", "[mail][path]") {
    const std::string label(62, 'd');
    const auto domain = label + '.' + label + '.' + label;  // 188
    const auto longest = '<' + std::string(64, 'a') + '@' + domain + ".d>";
    REQUIRE(longest.size() == 257);

    CHECK(ForwardPath::parse(longest).error() == Error::too_large);
    CHECK(ForwardPath::parse('<' + longest.substr(2)).has_value());

    // 4 octets a label as written, 10 as an A-label: 20 of them fit a domain, but not this path.
    std::string growing = '<' + std::string(64, 'a') + "@d";
    for (int i = 0; i < 20; ++i) {
        growing += ".b\xc3\xbc";
    }
    CHECK(EmailAddress::parse(growing.substr(1)).has_value());
    CHECK(ForwardPath::parse(growing + '>').error() == Error::too_large);
}

TEST_CASE(
    "The null path is legal for a sender only, the bare postmaster for a recipient only",
    "[mail][path]") {
    CHECK(ReversePath::parse("<>").value().is_null());
    CHECK(ReversePath::parse("<>").value().text().empty());
    CHECK(ReversePath::parse("<>").value() == ReversePath());
    CHECK(ForwardPath::parse("<>").has_error());

    CHECK(ForwardPath::parse("<PostMaster>").value().is_bare_postmaster());
    CHECK(ForwardPath::parse("<postmaster>").value().text() == "postmaster");
    CHECK(ReversePath::parse("<postmaster>").has_error());
    CHECK_FALSE(ForwardPath::parse("<postmaster@d>").value().is_bare_postmaster());
}

}  // namespace mailflow
