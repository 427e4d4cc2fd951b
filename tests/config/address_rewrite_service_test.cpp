// Address rewrite entries as an administrator makes them (reference 4.8).
#include "tests/config/service_fixture.hpp"

#include <boost/json/array.hpp>
#include <catch2/catch.hpp>

namespace mailflow {

namespace json = boost::json;
using Catch::Contains;
using Fixture = ServiceFixture;

TEST_CASE("a rewrite entry reaches the flow", "[config][rewrite]") {
    Fixture fixture;
    REQUIRE(fixture.create("accepted-domain", "*.corp.contoso.com", {}).ok());

    const auto made = fixture.create(
        "address-rewrite",
        "Flatten",
        {{"internal", "*.corp.Contoso.com"},
         {"external", "contoso.com"},
         {"exceptions", json::array{"lab.corp.contoso.com"}},
         {"outbound_only", true},
         {"rewrite_recipient_fields", true}});

    REQUIRE(made.ok());
    CHECK(said(made) == "");  // postmaster has an address in contoso.com
    REQUIRE(fixture.published.back()->address_rewrites().size() == 1);
    const auto& entry = fixture.published.back()->address_rewrites()[0];
    CHECK(entry.internal.domain->text() == "corp.contoso.com");
    CHECK(entry.internal.include_subdomains);
    CHECK(entry.external.domain->text() == "contoso.com");
    REQUIRE(entry.exceptions.size() == 1);
    CHECK(entry.outbound_only);
    CHECK(entry.rewrite_recipient_fields);
}

TEST_CASE("what the fields of a rewrite entry cannot be beside each other", "[config][rewrite]") {
    Fixture fixture;
    REQUIRE(fixture.create("accepted-domain", "relay.com", {{"type", "internal-relay"}}).ok());
    REQUIRE(fixture
                .create(
                    "address-rewrite",
                    "First",
                    {{"internal", "first@contoso.com"}, {"external", "one@fabrikam.com"}})
                .ok());

    struct Row {
        const char* name;
        json::object fields;
        std::string says;
    };

    const std::vector<Row> table = {
        {"kinds",
         {{"internal", "a@contoso.com"}, {"external", "fabrikam.com"}},
         "external: internal is a@contoso.com (an address) and external is fabrikam.com (a "
         "domain): write two addresses or two domains"},
        {"wildcard outside",
         {{"internal", "*.contoso.com"}, {"external", "*.fabrikam.com"}, {"outbound_only", true}},
         "external: *.fabrikam.com cannot stand for what is shown outside"},
        {"wildcard both ways",
         {{"internal", "*.contoso.com"}, {"external", "fabrikam.com"}},
         "outbound_only: must be true when internal is a domain with everything below it, "
         "*.contoso.com"},
        {"exceptions without wildcard",
         {{"internal", "contoso.com"},
          {"external", "fabrikam.com"},
          {"exceptions", "lab.contoso.com"}},
         "exceptions: have a meaning only when internal begins with \"*.\", not for contoso.com"},
        {"exceptions elsewhere",
         {{"internal", "*.contoso.com"},
          {"external", "fabrikam.com"},
          {"outbound_only", true},
          {"exceptions", "lab.fabrikam.com"}},
         "exceptions: lab.fabrikam.com is not below *.contoso.com of internal"},
        {"not ours",
         {{"internal", "example.org"}, {"external", "fabrikam.com"}},
         "internal: example.org is not an accepted domain; create it first, with smtpctl "
         "accepted-domain create example.org"},
        {"relayed",
         {{"internal", "relay.com"}, {"external", "fabrikam.com"}},
         "internal: relay.com is a relay domain, and only addresses of authoritative ones are "
         "rewritten"},
        {"same",
         {{"internal", "contoso.com"}, {"external", "CONTOSO.com"}},
         "is the same as internal"},
        {"twice inside",
         {{"internal", "first@contoso.com"}, {"external", "two@fabrikam.com"}},
         "first@contoso.com is rewritten by address-rewrite \"First\" already"},
        {"twice outside",
         {{"internal", "second@contoso.com"}, {"external", "one@fabrikam.com"}},
         "mail to one@fabrikam.com is changed back by address-rewrite \"First\" already: set "
         "outbound_only of one of them"},
        {"no pattern",
         {{"internal", "a@b@c"}, {"external", "x"}},
         "internal: \"a@b@c\" is not allowed"},
        {"nothing", {}, "internal: is required"},
    };
    for (const auto& row : table) {
        INFO(row.name);
        const auto made = fixture.create("address-rewrite", row.name, row.fields);
        CHECK_FALSE(made.ok());
        CHECK_THAT(said(made), Contains(row.says));
    }
}

TEST_CASE("rewritten senders whom no answer reaches are warned of", "[config][rewrite]") {
    Fixture fixture;

    const auto address = fixture.create(
        "address-rewrite",
        "One",
        {{"internal", "postmaster@contoso.com"},
         {"external", "help@contoso.com"},
         {"outbound_only", true}});
    const auto domain = fixture.create(
        "address-rewrite",
        "All",
        {{"internal", "contoso.com"}, {"external", "fabrikam.com"}, {"outbound_only", true}});
    const auto both_ways = fixture.create(
        "address-rewrite", "Both", {{"internal", "x@contoso.com"}, {"external", "y@fabrikam.com"}});

    CHECK_THAT(
        said(address),
        Contains("address-rewrite \"One\", external: help@contoso.com is nobody's address"));
    CHECK_THAT(said(domain), Contains("nobody has an address in fabrikam.com"));
    CHECK(said(both_ways) == "");
}

TEST_CASE("a domain whose addresses are rewritten cannot go", "[config][rewrite]") {
    Fixture fixture;
    REQUIRE(fixture.create("accepted-domain", "fabrikam.com", {}).ok());
    REQUIRE(fixture
                .create(
                    "address-rewrite",
                    "Merger",
                    {{"internal", "fabrikam.com"}, {"external", "contoso.com"}})
                .ok());

    const auto removed = fixture.remove("accepted-domain", "fabrikam.com");

    CHECK(
        said(removed) ==
        "accepted-domain \"fabrikam.com\": is in use by address-rewrite \"Merger\", whose "
        "internal is fabrikam.com: remove that entry first, with smtpctl address-rewrite remove "
        "\"Merger\"\n");
}

}  // namespace mailflow
