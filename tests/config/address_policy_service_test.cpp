// Address policies as an administrator makes them (reference 4.1, 4.3). What they do to recipients
// is tested with `address-policy apply`.
#include "tests/config/service_fixture.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

namespace mailflow {

namespace json = boost::json;
using Catch::Contains;
using Fixture = ServiceFixture;

namespace {

ChangeOutcome make_policy(Fixture& fixture, const std::string& name, json::object fields = {}) {
    if (!fields.contains("templates")) fields["templates"] = "SMTP:%m@contoso.com";
    return fixture.create("address-policy", name, std::move(fields));
}

// `Sales 1, Everybody 2, Default Policy lowest`: in the order in which they are asked.
std::string order_of(const Fixture& fixture) {
    std::string text;
    for (const auto& policy : fixture.published.back()->address_policies()) {
        text += (text.empty() ? "" : ", ") + policy.name + " " +
                (policy.is_default() ? "lowest" : std::to_string(policy.priority));
    }
    return text;
}

json::value field_of(const Fixture& fixture, const std::string& name, const std::string& field) {
    return fixture.service.show("address-policy", name)->at(field);
}

}  // namespace

TEST_CASE("the first start makes the policy for everybody", "[config][policy]") {
    Fixture fixture;

    const auto policy = fixture.service.show("address-policy", "Default Policy");

    REQUIRE(policy);
    CHECK(policy->at("priority") == "lowest");
    CHECK(policy->at("templates") == json::array{"SMTP:%m@contoso.com"});
    CHECK(policy->at("included_recipients") == json::array());
    CHECK(policy->at("applied") == true);  // its first mailbox was made by it
}

TEST_CASE("a store of an older program gets what always exists", "[config][policy]") {
    Fixture fixture;
    const auto set = fixture.test.run(fixture.objects.read_all());
    REQUIRE(fixture.test.run(fixture.objects.change(
        set->version,
        {{"address-policy", "Default Policy", {}, {}}, {"remote-domain", "Default", {}, {}}},
        fixture.author)));
    OrganizationService again(
        {fixture.objects, fixture.recipients, {"mail.contoso.com", "default"}, nullptr});

    const auto problems = fixture.test.run(again.open({}));

    REQUIRE(problems.has_value());
    CHECK(problems->empty());
    REQUIRE(again.organization()->address_policies().size() == 1);
    CHECK(again.organization()->address_policies()[0].primary_template == "%m@contoso.com");
    CHECK_FALSE(again.organization()->address_policies()[0].applied);
    CHECK(again.organization()->remote_domains().size() == 1);
    const auto history = fixture.test.run(again.history(1));
    REQUIRE(history.has_value());
    CHECK(history->front().author.what == "upgrade");
}

// A policy needs an authoritative domain: a store without any has none until there is one.
TEST_CASE("the default policy is made as soon as there can be one", "[config][policy]") {
    Fixture fixture;
    const auto set = fixture.test.run(fixture.objects.read_all());
    auto domain = *fixture.service.show("accepted-domain", "contoso.com");
    domain.erase("name");
    domain["type"] = "internal-relay";
    REQUIRE(fixture.test.run(fixture.objects.change(
        set->version,
        {{"address-policy", "Default Policy", {}, {}},
         {"accepted-domain", "contoso.com", json::serialize(domain), {}}},
        fixture.author)));
    OrganizationService again(
        {fixture.objects, fixture.recipients, {"mail.contoso.com", "default"}, nullptr});
    REQUIRE(fixture.test.run(again.open({})).has_value());
    const auto policies = [&again] {
        return again.organization()->address_policies().size();
    };
    const auto create = [&](const std::string& name, json::object fields, bool what_if = false) {
        return fixture.test.run(
            again.create({"accepted-domain", name, std::move(fields), fixture.author, what_if}));
    };

    REQUIRE(policies() == 0);
    REQUIRE(create("b.com", {{"type", "internal-relay"}}).ok());
    CHECK(policies() == 0);
    REQUIRE(create("c.com", {}, true).ok());
    CHECK(policies() == 0);
    const auto made = create("c.com", {});

    REQUIRE(made.ok());
    CHECK(
        said(made) ==
        "warning: address-policy \"Default Policy\" is made, too; recipients keep the addresses "
        "they have until smtpctl address-policy apply\n");
    REQUIRE(policies() == 1);
    CHECK(again.organization()->address_policies()[0].primary_template == "%m@c.com");
    CHECK_FALSE(again.organization()->address_policies()[0].applied);
    CHECK(fixture.test.run(fixture.objects.read_all())->version == made.version);
    CHECK(said(create("d.com", {})) == "");
    CHECK(policies() == 1);
}

TEST_CASE("of the default policy the templates alone can be changed", "[config][policy]") {
    Fixture fixture;
    const auto set = [&fixture](json::object fields) {
        return said(fixture.set("address-policy", "default policy", std::move(fields)));
    };
    const std::string fixed =
        ": is fixed: the default policy is for all recipients, after all other policies; its "
        "templates can be changed\n";
    const std::string title = "address-policy \"Default Policy\", ";

    CHECK(set({{"name", "Everybody"}}) == title + "name" + fixed);
    CHECK(set({{"priority", 1}}) == title + "priority" + fixed);
    CHECK(set({{"recipient_filter", "Alias -eq 'a'"}}) == title + "recipient_filter" + fixed);
    CHECK(set({{"included_recipients", "mailbox"}}) == title + "included_recipients" + fixed);
    CHECK(set({{"add_conditional_company", "Contoso"}}) == title + "conditional_company" + fixed);
    CHECK_THAT(
        said(fixture.remove("address-policy", "Default Policy")), Contains("cannot be removed"));
    CHECK(fixture.published.size() == 1);
    CHECK(set({{"templates", json::array{"@contoso.com"}}}).empty());
    CHECK(field_of(fixture, "Default Policy", "templates") == json::array{"SMTP:%m@contoso.com"});
}

// Reference 16, fact 14; 4.4: nothing happens to recipients until the policy is applied.
TEST_CASE("fact 14: making or editing a policy changes no recipient", "[config][policy]") {
    Fixture fixture;
    REQUIRE(fixture.create("accepted-domain", "fabrikam.com", {}).ok());

    REQUIRE(make_policy(fixture, "All", {{"templates", "SMTP:%m@fabrikam.com"}}).ok());
    REQUIRE(fixture.set("address-policy", "Default Policy", {{"templates", "SMTP:%m@fabrikam.com"}})
                .ok());

    const auto shown = fixture.test.run(fixture.service.show_recipient("postmaster"));
    REQUIRE(shown.has_value());
    REQUIRE(*shown);
    CHECK((**shown).at("addresses") == json::array{"SMTP:postmaster@contoso.com"});
    CHECK(field_of(fixture, "All", "applied") == false);
    CHECK(field_of(fixture, "Default Policy", "applied") == false);
}

TEST_CASE("whether a policy is applied is the program's to say", "[config][policy]") {
    Fixture fixture;

    const auto made = make_policy(fixture, "All", {{"applied", true}});
    const auto set = fixture.set("address-policy", "Default Policy", {{"applied", false}});
    const auto same = fixture.set(
        "address-policy", "Default Policy", {{"templates", json::array{"smtp:%m@CONTOSO.com"}}});

    CHECK_THAT(said(made), Contains("applied: cannot be set: it shows what the server has done"));
    CHECK_THAT(said(set), Contains("applied: cannot be set"));
    CHECK(same.ok());
    CHECK(field_of(fixture, "Default Policy", "applied") == true);  // nothing changed
}

TEST_CASE(
    "policies have an order without gaps, and the newer one wins a number", "[config][policy]") {
    Fixture fixture;
    REQUIRE(make_policy(fixture, "A").ok());
    REQUIRE(make_policy(fixture, "B").ok());
    CHECK(order_of(fixture) == "A 1, B 2, Default Policy lowest");

    REQUIRE(make_policy(fixture, "C", {{"priority", 1}}).ok());
    CHECK(order_of(fixture) == "C 1, A 2, B 3, Default Policy lowest");
    REQUIRE(fixture.set("address-policy", "B", {{"priority", 2}}).ok());
    CHECK(order_of(fixture) == "C 1, B 2, A 3, Default Policy lowest");
    REQUIRE(fixture.set("address-policy", "C", {{"priority", 3}}).ok());
    CHECK(order_of(fixture) == "B 1, A 2, C 3, Default Policy lowest");
    REQUIRE(fixture.remove("address-policy", "A").ok());
    CHECK(order_of(fixture) == "B 1, C 2, Default Policy lowest");
    REQUIRE(fixture.set("address-policy", "B", {{"priority", ""}}).ok());
    CHECK(order_of(fixture) == "C 1, B 2, Default Policy lowest");

    CHECK_THAT(
        said(make_policy(fixture, "D", {{"priority", "lowest"}})),
        Contains(
            "priority: lowest is the place of \"Default Policy\": write a number from 1 to 3"));
    CHECK_THAT(
        said(make_policy(fixture, "D", {{"priority", 4}})),
        Contains("priority: 4 leaves a gap: write a number from 1 to 3"));
    CHECK_THAT(
        said(make_policy(fixture, "D", {{"priority", 0}})),
        Contains("write a whole number from 1 to 10000, or lowest"));
}

TEST_CASE(
    "a template is in a domain of ours, the primary in an authoritative one", "[config][policy]") {
    Fixture fixture;
    REQUIRE(fixture.create("accepted-domain", "inside.com", {{"type", "internal-relay"}}).ok());
    REQUIRE(fixture.create("accepted-domain", "outside.com", {{"type", "external-relay"}}).ok());

    struct Row {
        const char* name;
        json::array templates;
        std::string says;  // empty: legal
    };

    const std::vector<Row> table = {
        {"secondary inside", {"SMTP:%m@contoso.com", "smtp:%m@inside.com"}, ""},
        {"unknown",
         {"SMTP:%m@fabrikam.com"},
         "templates: SMTP:%m@fabrikam.com: fabrikam.com is not an accepted domain; create it "
         "first, with smtpctl accepted-domain create fabrikam.com"},
        {"primary inside",
         {"SMTP:%m@inside.com"},
         "inside.com is an internal-relay domain, and primary addresses are in authoritative ones"},
        {"outside",
         {"SMTP:%m@contoso.com", "smtp:%m@outside.com"},
         "smtp:%m@outside.com: outside.com is an external-relay domain"},
        {"below", {"SMTP:%m@sub.contoso.com"}, "sub.contoso.com is not an accepted domain"},
        {"two primaries",
         {"SMTP:%m@contoso.com", "SMTP:%g@contoso.com"},
         "templates: only one can be primary: write SMTP: once"},
        {"no token", {"SMTP:%z@contoso.com"}, "is not allowed"},
        {"nothing", {}, "templates: is required"},
    };
    for (const auto& row : table) {
        INFO(row.name);
        const auto made = make_policy(fixture, row.name, {{"templates", row.templates}});
        CHECK(made.ok() == row.says.empty());
        CHECK_THAT(said(made), Contains(row.says));
    }
}

TEST_CASE("the primary template is first, marked or not, and moves", "[config][policy]") {
    Fixture fixture;
    const auto templates = [&fixture] {
        return json::serialize(field_of(fixture, "P", "templates"));
    };
    REQUIRE(
        make_policy(fixture, "P", {{"templates", json::array{"%g@contoso.com", "%s@contoso.com"}}})
            .ok());
    CHECK(templates() == R"(["SMTP:%g@contoso.com","smtp:%s@contoso.com"])");

    REQUIRE(fixture.set("address-policy", "P", {{"add_templates", "SMTP:%m@contoso.com"}}).ok());
    CHECK(templates() == R"(["SMTP:%m@contoso.com","smtp:%g@contoso.com","smtp:%s@contoso.com"])");
    const auto gone =
        fixture.set("address-policy", "P", {{"remove_templates", "SMTP:%m@contoso.com"}});
    REQUIRE(fixture.set("address-policy", "P", {{"remove_templates", "%s@contoso.com"}}).ok());

    CHECK_THAT(said(gone), Contains("the primary template cannot go"));
    CHECK(templates() == R"(["SMTP:%m@contoso.com","smtp:%g@contoso.com"])");
    const auto& policy = fixture.published.back()->address_policies()[0];
    CHECK(policy.primary_template == "%m@contoso.com");
    CHECK(policy.secondary_templates == std::vector<std::string>{"%g@contoso.com"});
}

TEST_CASE("filters are precanned or an expression", "[config][policy]") {
    Fixture fixture;

    const auto precanned = make_policy(
        fixture,
        "Sales",
        {{"included_recipients", json::array{"MailboxUsers", "mailcontacts"}},
         {"conditional_department", json::array{"Sales", "Marketing"}},
         {"conditional_custom_attribute_15", "x"}});
    const auto all = make_policy(
        fixture, "All", {{"included_recipients", json::array{"AllRecipients", "MailGroups"}}});
    const auto expression =
        make_policy(fixture, "Expression", {{"recipient_filter", "Department -eq 'Sales'"}});
    const auto broken = make_policy(fixture, "Broken", {{"recipient_filter", "Department -eq"}});
    const auto both = make_policy(
        fixture,
        "Both",
        {{"recipient_filter", "Department -eq 'Sales'"},
         {"included_recipients", "mailbox"},
         {"conditional_company", "Contoso"}});

    REQUIRE(precanned.ok());
    const auto& sales = fixture.published.back()->address_policies()[0];
    CHECK(
        sales.included_recipients ==
        std::vector<RecipientKind>{RecipientKind::mailbox, RecipientKind::contact});
    REQUIRE(sales.conditions.size() == 2);
    CHECK(sales.conditions[0].field == "department");
    CHECK(sales.conditions[0].values == std::vector<std::string>{"Sales", "Marketing"});
    CHECK(sales.conditions[1].field == "custom_attribute_15");
    CHECK_THAT(said(all), Contains("included_recipients: all stands alone"));
    CHECK(expression.ok());
    CHECK_THAT(said(broken), Contains("recipient_filter: \"Department -eq\" is not allowed: "));
    CHECK_THAT(
        said(both),
        Contains("recipient_filter: cannot stand together with included_recipients") &&
            Contains("recipient_filter: cannot stand together with conditional_company"));
}

}  // namespace mailflow
