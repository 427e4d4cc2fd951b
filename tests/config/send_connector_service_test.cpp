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

TEST_CASE("every field of a send connector reaches the organization", "[config][service][send]") {
    Fixture fixture;
    const auto outcome = fixture.create(
        "send-connector",
        "Relay",
        {{"address_spaces", {"*"}},
         {"smart_hosts", {"relay.contoso.com"}},
         {"comment", "by the provider"},
         {"port", 587},
         {"source_address", "192.0.2.7"},
         {"max_messages_per_connection", 5},
         {"max_outbound_connections", 9},
         {"max_per_domain_outbound_connections", 8},
         {"connection_inactivity_timeout", "00:02:00"},
         {"error_policies", {"downgrade-dns-failures", "upgrade-custom-failures"}},
         {"upgrade_replies", {"450", "4.7.1"}},
         {"require_tls", true},
         {"tls_auth_level", "domain-validation"},
         {"tls_domain", "*.contoso.com"},
         {"certificate", "client"},
         {"dane", false},
         {"mta_sts", false},
         {"auth", "basic_require_tls"},
         {"username", "mailflow"},
         {"password", "open sesame"}});

    REQUIRE(said(outcome) == "");
    const auto& connector = fixture.published.back()->send_connectors().at(0);
    CHECK(connector.comment == "by the provider");
    CHECK(connector.source_address->text() == "192.0.2.7");
    CHECK(connector.max_messages_per_connection == 5);
    CHECK(connector.max_outbound_connections == 9);
    CHECK(connector.max_per_domain_outbound_connections == 8);
    CHECK(connector.connection_inactivity_timeout == std::chrono::minutes(2));
    CHECK(
        connector.error_policies ==
        ErrorPolicies{true, {}, std::vector<std::string>{"450", "4.7.1"}});
    CHECK(connector.require_tls);
    CHECK(connector.tls_auth_level == TlsAuthLevel::domain_validation);
    CHECK(connector.tls_domain == "*.contoso.com");
    CHECK(connector.certificate == "client");
    CHECK_FALSE(connector.dane);
    CHECK_FALSE(connector.mta_sts);
    CHECK(connector.auth == SmartHostAuth::basic_require_tls);
    CHECK(connector.username == "mailflow");
    CHECK(connector.password == "sealed:send-connector/Relay/password=open sesame");
}

TEST_CASE(
    "a secret is sealed, follows its connector, and is never shown", "[config][service][secret]") {
    Fixture fixture;
    const json::object fields = {
        {"address_spaces", {"*"}},
        {"smart_hosts", {"relay.contoso.com"}},
        {"auth", "basic"},
        {"username", "mailflow"},
        {"password", "open sesame"}};
    const auto password = [&] {
        return fixture.published.back()->send_connectors().at(0).password;
    };
    const auto made = fixture.create("send-connector", "Relay", fields);

    const auto listed = fixture.service.list("send-connector").at(0);
    const auto edited = fixture.set("send-connector", "Relay", {{"port", 587}});
    const auto kept = password();
    const auto renamed = fixture.set("send-connector", "Relay", {{"name", "Provider"}});
    const auto moved = password();
    const auto shown_back = fixture.set("send-connector", "Provider", {{"password", "set"}});
    const auto foreign = fixture.set("send-connector", "Provider", {{"password", "sealed:x"}});
    const auto needed = fixture.set("send-connector", "Provider", {{"password", nullptr}});
    const auto removed =
        fixture.set("send-connector", "Provider", {{"password", nullptr}, {"auth", "none"}});

    CHECK(made.after.at("password") == "set");
    CHECK(listed.at("password") == "set");
    CHECK(edited.before.at("password") == "set");
    CHECK(kept == "sealed:send-connector/Relay/password=open sesame");
    CHECK(renamed.ok());
    CHECK(moved == "sealed:send-connector/Provider/password=open sesame");
    CHECK_THAT(said(shown_back), Catch::Contains("is what show prints"));
    CHECK_THAT(said(foreign), Catch::Contains("is sealed for another object"));
    CHECK_THAT(said(needed), Catch::Contains("password: is needed by auth basic"));
    CHECK(said(removed) == "");
    CHECK(password().empty());
    CHECK(removed.after.at("password") == "");
}

TEST_CASE("an export has secrets only sealed and asked for", "[config][service][secret]") {
    Fixture fixture;
    const json::object fields = {
        {"address_spaces", {"*"}},
        {"smart_hosts", {"relay.contoso.com"}},
        {"auth", "basic"},
        {"username", "mailflow"},
        {"password", "open sesame"}};
    REQUIRE(fixture.create("send-connector", "Relay", fields).ok());
    const auto exported = [&](ExportRequest request) {
        return fixture.test.run(fixture.service.export_toml(request)).value();
    };
    const auto apply = [&](OrganizationService& service, std::string text) {
        ApplyRequest request{std::move(text), fixture.author, false};
        return fixture.test.run(service.apply_toml(std::move(request)));
    };

    const auto plain = exported({});
    const auto sealed = exported({.with_secrets = true});
    const auto again = apply(fixture.service, plain);
    Fixture fresh;
    const auto elsewhere = apply(fresh.service, sealed);

    CHECK(plain.find("password") == std::string::npos);
    CHECK(sealed.find("password = \"sealed:send-connector/Relay/password=") != std::string::npos);
    CHECK(again.result.ok());
    CHECK(again.differences.empty());
    CHECK(elsewhere.result.ok());
    CHECK(
        fresh.published.back()->send_connectors().at(0).password ==
        "sealed:send-connector/Relay/password=open sesame");
}

TEST_CASE("what a list of replies is for must stand", "[config][service][send]") {
    Fixture fixture;
    const auto make = [&](json::object more) {
        more["address_spaces"] = json::array{"*"};
        return said(fixture.create("send-connector", "A", std::move(more), true));
    };

    CHECK_THAT(
        make({{"downgrade_replies", {"550"}}}),
        Catch::Contains("downgrade_replies: is obeyed with error_policies"));
    CHECK_THAT(
        make({{"error_policies", "upgrade-custom-failures"}}),
        Catch::Contains("upgrade_replies: is needed by error_policies upgrade-custom-failures"));
    CHECK_THAT(
        make({{"source_address", "0.0.0.0"}}),
        Catch::Contains("source_address: \"0.0.0.0\" is not allowed: write an address such as"));
}

TEST_CASE("destination policies come in order and are for something", "[config][service][send]") {
    Fixture fixture;
    REQUIRE(fixture.create("send-connector", "Internet", {{"address_spaces", {"*"}}}).ok());
    const auto made = fixture.create(
        "destination-policy",
        "Fabrikam",
        {{"domains", {"*.Fabrikam.com"}},
         {"connectors", {"Internet"}},
         {"max_connections", 2},
         {"message_rate_per_minute", 60},
         {"slow_replies", {"4.7.28", "too quick"}},
         {"back_off", "10m"}});
    REQUIRE(said(made) == "");
    REQUIRE(
        fixture
            .create("destination-policy", "Zuerst", {{"priority", 1}, {"mx_hosts", {"mx.a.com"}}})
            .ok());

    const auto nothing = fixture.create("destination-policy", "Nothing", {});
    const auto unknown = fixture.create("destination-policy", "X", {{"connectors", {"Y"}}});
    const auto removed = fixture.remove("send-connector", "Internet");

    const auto& policies = fixture.published.back()->destination_policies();
    REQUIRE(policies.size() == 2);
    CHECK(policies[0].name == "Zuerst");
    CHECK(policies[1].domains == std::vector<std::string>{"*.fabrikam.com"});
    CHECK(policies[1].max_connections == 2);
    CHECK_FALSE(policies[1].max_recipients_per_message);
    CHECK(policies[1].message_rate_per_minute == 60);
    CHECK(policies[1].back_off == std::chrono::minutes(10));
    CHECK_THAT(said(nothing), Catch::Contains("domains: or mx_hosts or connectors is needed"));
    CHECK_THAT(said(unknown), Catch::Contains("there is no send-connector \"Y\""));
    CHECK_FALSE(removed.ok());
}

}  // namespace mailflow
