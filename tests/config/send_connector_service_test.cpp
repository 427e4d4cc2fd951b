// What the service does about send connectors and nodes: presets, source servers, sites.
#include "tests/config/service_fixture.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace mailflow {

namespace {

namespace json = boost::json;
using Fixture = ServiceFixture;
using Status = ChangeOutcome::Status;

}  // namespace

TEST_CASE("a usage presets what nothing else is said about", "[config][service][send]") {
    Fixture fixture;
    const json::object spaces = {{"address_spaces", {"*"}}};
    const auto make = [&](const std::string& usage, json::object more) {
        more.insert(spaces.begin(), spaces.end());
        more["usage"] = usage;
        return fixture.create("send-connector", usage, std::move(more)).after;
    };

    const auto internet = make("internet", {});
    const auto partner = make("partner", {});
    const auto internal = make("Internal", {{"smart_hosts", {"10.0.0.1"}}});
    const auto small = fixture
                           .create(
                               "send-connector",
                               "small",
                               {{"usage", "internal"},
                                {"address_spaces", {"contoso.com"}},
                                {"max_message_size", "1 MB"}})
                           .after;

    CHECK(internet.at("routing") == "mx");
    CHECK(internet.at("max_message_size") == "36 MB");
    CHECK(partner.at("routing") == "mx");
    CHECK(internal.at("routing") == "smart-hosts");
    CHECK(internal.at("max_message_size") == "unlimited");
    CHECK(small.at("max_message_size") == "1 MB");
}

TEST_CASE("this node is there from the first start", "[config][service][node]") {
    Fixture fixture;

    const auto nodes = fixture.service.list("node");
    const auto removed = fixture.remove("node", "mail.contoso.com");
    const auto moved = fixture.set("node", "mail.contoso.com", {{"site", "paris"}});

    REQUIRE(nodes.size() == 1);
    CHECK(
        nodes[0] ==
        json::object{
            {"name", "mail.contoso.com"}, {"fqdn", "mail.contoso.com"}, {"site", "default"}});
    CHECK(
        said(removed) ==
        "node \"mail.contoso.com\": cannot be removed: it is this server itself\n");
    CHECK_THAT(said(moved), Catch::Contains("by [node] of its bootstrap file"));
}

TEST_CASE("a node that has moved says so at its start", "[config][service][node]") {
    Fixture fixture;
    OrganizationService moved(
        {fixture.objects, fixture.recipients, {"mail.contoso.com", "paris"}, nullptr});

    const auto problems = fixture.test.run(moved.open({}));

    REQUIRE(problems.has_value());
    CHECK(problems->empty());
    REQUIRE(moved.organization()->nodes().size() == 1);
    CHECK(moved.organization()->nodes()[0].site == "paris");
    CHECK(*moved.organization()->find_site("MAIL.contoso.com") == "paris");
    CHECK(moved.organization()->find_site("gone.contoso.com") == nullptr);
}

TEST_CASE("a node with another name joins those that are known", "[config][service][node]") {
    Fixture fixture;
    OrganizationService renamed(
        {fixture.objects, fixture.recipients, {"new.contoso.com", "default"}, nullptr});

    const auto problems = fixture.test.run(renamed.open({}));

    REQUIRE(problems.has_value());
    CHECK(problems->empty());
    CHECK(renamed.list("node").size() == 2);
}

TEST_CASE("a connector's last source server cannot be removed", "[config][service][node]") {
    Fixture fixture;
    const auto create = [&](const std::string& name, json::array servers) {
        return fixture.create(
            "send-connector", name, {{"address_spaces", {"*"}}, {"source_servers", servers}});
    };
    REQUIRE(fixture.create("node", "mx2.contoso.com", {{"site", "paris"}}).ok());
    REQUIRE(create("Both", {"mail.contoso.com", "mx2.contoso.com"}).ok());
    REQUIRE(create("Paris", {"MX2.contoso.com"}).ok());

    const auto refused = fixture.remove("node", "mx2.contoso.com");
    REQUIRE(fixture.set("send-connector", "Paris", {{"source_servers", ""}}).ok());
    const auto removed = fixture.remove("node", "mx2.contoso.com");

    CHECK(
        said(refused) ==
        "node \"mx2.contoso.com\": is the last source server of send-connector \"Paris\" and "
        "cannot be removed: give that another one first, with smtpctl send-connector set "
        "\"Paris\" --source-server mail.contoso.com\n");
    CHECK(said(removed) == "");
    CHECK(
        fixture.service.show("send-connector", "Both")->at("source_servers") ==
        json::array{"mail.contoso.com"});
}

}  // namespace mailflow
