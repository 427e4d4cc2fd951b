// What an administrator can do to accepted domains, and what is said of it (reference 3).
#include "config/bootstrap.hpp"
#include "tests/config/service_fixture.hpp"

#include <boost/json/array.hpp>
#include <catch2/catch.hpp>

namespace mailflow {

namespace json = boost::json;
using Catch::Contains;
using Fixture = ServiceFixture;

namespace {

std::string default_of(const Fixture& fixture) {
    return fixture.published.back()->default_domain().name;
}

}  // namespace

TEST_CASE("without a domain the node's own is the first accepted one", "[config][domain][seed]") {
    TestLane test;
    MemoryObjectStore objects;
    MemoryRecipientStore recipients;
    OrganizationService service(
        {objects, recipients, {"ex2013cas.corp.contoso.com", "default"}, nullptr});

    const auto problems = test.run(service.open({}));

    REQUIRE(problems.has_value());
    REQUIRE(problems->empty());
    const auto& organization = *service.organization();
    CHECK(organization.default_domain().domain.text() == "corp.contoso.com");
    CHECK(organization.default_domain().type == AcceptedDomainType::authoritative);
    REQUIRE(organization.address_policies().size() == 1);
    CHECK(organization.address_policies()[0].primary_template == "%m@corp.contoso.com");
    const auto david = test.run(service.create({"mailbox", "david", {}, {"test", ""}, false}));
    REQUIRE(david.ok());
    CHECK(david.after.at("addresses") == json::array{"SMTP:david@corp.contoso.com"});
}

TEST_CASE("the default domain moves, and cannot be removed", "[config][domain]") {
    Fixture fixture;
    REQUIRE(fixture.create("accepted-domain", "fabrikam.com", {}).ok());

    const auto removed = fixture.remove("accepted-domain", "contoso.com");
    const auto taken = fixture.set("accepted-domain", "contoso.com", {{"default", false}});
    const auto moved = fixture.set("accepted-domain", "fabrikam.com", {{"default", true}});

    CHECK(
        said(removed) ==
        "accepted-domain \"contoso.com\": is the default domain and cannot be removed: make "
        "another one the default first, with smtpctl accepted-domain set \"fabrikam.com\" "
        "--default true\n");
    CHECK_THAT(said(taken), Contains("no accepted domain would be the default"));
    CHECK(moved.ok());
    CHECK(default_of(fixture) == "fabrikam.com");
    CHECK(fixture.service.show("accepted-domain", "contoso.com")->at("default") == false);
}

// Reference 16, fact 14: changing the default domain does not edit the Default Policy.
TEST_CASE(
    "fact 14: the default policy keeps its templates when the flag moves", "[config][domain]") {
    Fixture fixture;
    REQUIRE(fixture.create("accepted-domain", "fabrikam.com", {{"default", true}}).ok());

    const auto policy = fixture.service.show("address-policy", "Default Policy");

    REQUIRE(policy);
    CHECK(policy->at("templates") == json::array{"SMTP:%m@contoso.com"});
    CHECK(policy->at("applied") == true);
}

TEST_CASE("a domain that a policy uses cannot go or change its type", "[config][domain]") {
    Fixture fixture;
    REQUIRE(fixture.create("accepted-domain", "fabrikam.com", {}).ok());
    REQUIRE(fixture.set("address-policy", "Default Policy", {{"add_templates", "%m@fabrikam.com"}})
                .ok());

    const auto removed = fixture.remove("accepted-domain", "fabrikam.com");
    const auto external =
        fixture.set("accepted-domain", "fabrikam.com", {{"type", "external-relay"}});
    const auto internal =
        fixture.set("accepted-domain", "fabrikam.com", {{"type", "internal-relay"}});
    const auto primary =
        fixture.set("accepted-domain", "contoso.com", {{"type", "internal-relay"}});

    const std::string used =
        "accepted-domain \"fabrikam.com\": is in use by address-policy \"Default Policy\", whose "
        "template smtp:%m@fabrikam.com needs it as it is: change that template first, with "
        "smtpctl address-policy set \"Default Policy\" --template SMTP:TEMPLATE\n";
    CHECK(said(removed) == used);
    CHECK(said(external) == used);
    CHECK(internal.ok());  // reference 3.2: secondary templates may be in internal-relay domains
    CHECK_THAT(said(primary), Contains("whose template SMTP:%m@contoso.com needs it as it is"));
}

TEST_CASE("a domain in which recipients have addresses cannot go", "[config][domain]") {
    Fixture fixture;
    REQUIRE(fixture.create("accepted-domain", "fabrikam.com", {}).ok());
    REQUIRE(fixture
                .create(
                    "mailbox",
                    "david",
                    {{"addresses", json::array{"SMTP:david@fabrikam.com"}},
                     {"address_policy_enabled", false}})
                .ok());

    const auto removed = fixture.remove("accepted-domain", "fabrikam.com");

    CHECK_THAT(said(removed), Contains("fabrikam.com"));
    CHECK_THAT(said(removed), Contains("is in use"));
}

TEST_CASE("the domain of an accepted domain is given once", "[config][domain]") {
    Fixture fixture;
    REQUIRE(fixture.create("accepted-domain", "Fabrikam", {{"domain", "fabrikam.com"}}).ok());

    const auto changed = fixture.set("accepted-domain", "Fabrikam", {{"domain", "*.fabrikam.com"}});
    const auto wild = fixture.create("accepted-domain", "a.*.fabrikam.com", {});

    CHECK(
        said(changed) ==
        "accepted-domain \"Fabrikam\", domain: can only be given when the object is created: "
        "remove it and create it anew\n");
    CHECK_THAT(said(wild), Contains("is not allowed: write a domain such as contoso.com"));
}

TEST_CASE("what recipients of a domain are found by", "[config][domain]") {
    Fixture fixture;

    for (const std::string delimiter : {"+", "-", "_", "=", ".", "#"}) {
        INFO(delimiter);
        REQUIRE(fixture.set("accepted-domain", "contoso.com", {{"recipient_delimiter", delimiter}})
                    .ok());
        CHECK(fixture.published.back()->default_domain().recipient_delimiter == delimiter);
    }
    const auto wrong =
        fixture.set("accepted-domain", "contoso.com", {{"recipient_delimiter", "++"}});
    const auto none = fixture.set("accepted-domain", "contoso.com", {{"recipient_delimiter", ""}});
    const auto there = fixture.set("accepted-domain", "contoso.com", {{"catch_all", "postmaster"}});
    const auto nobody = fixture.set("accepted-domain", "contoso.com", {{"catch_all", "lost"}});
    const auto elsewhere = fixture.set("transport-config", "", {{"max_hop_count", 25}});

    CHECK_THAT(said(wrong), Contains("\"++\" is not allowed: write +, -, _, =, . or #"));
    CHECK(none.ok());
    CHECK(said(there) == "");
    CHECK(nobody.ok());
    CHECK(
        said(nobody) ==
        "warning: accepted-domain \"contoso.com\", catch_all: nobody is \"lost\", so unknown "
        "recipients are treated as without it; create that recipient, with smtpctl mailbox create "
        "\"lost\"\n");
    CHECK(said(elsewhere) == "");  // said once
    CHECK(fixture.published.back()->default_domain().catch_all == "lost");
}

TEST_CASE("a catch-all is kept by name and follows its recipient", "[config][domain]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "lost", {{"alias", "lost.mail"}}).ok());
    REQUIRE(fixture.create("mailbox", "other", {}).ok());
    const auto catch_all = [&fixture] {
        return fixture.published.back()->default_domain().catch_all;
    };

    for (const auto* written : {"lost.mail", "Lost.Mail@CONTOSO.com", "LOST"}) {
        const auto set = fixture.set("accepted-domain", "contoso.com", {{"catch_all", written}});
        CHECK(said(set) == "");
        CHECK(catch_all() == "lost");
    }
    REQUIRE(fixture.create("accepted-domain", "b.com", {{"catch_all", "lost.mail"}}).ok());
    const auto before = fixture.published.size();
    REQUIRE(fixture.set("mailbox", "other", {{"name", "another"}}).ok());
    CHECK(fixture.published.size() == before);
    const auto preview = fixture.set("mailbox", "lost", {{"name", "found"}}, true);
    CHECK(preview.ok());
    CHECK(catch_all() == "lost");
    const auto renamed = fixture.set("mailbox", "lost", {{"name", "found"}});

    REQUIRE(renamed.ok());
    CHECK(catch_all() == "found");
    CHECK(fixture.service.show("accepted-domain", "b.com")->at("catch_all") == "found");
    CHECK(fixture.set("accepted-domain", "contoso.com", {{"recipient_delimiter", "+"}}).ok());
    CHECK(catch_all() == "found");
}

TEST_CASE("a catch-all goes with its recipient, and that is said", "[config][domain]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "lost", {}).ok());
    REQUIRE(fixture.set("accepted-domain", "contoso.com", {{"catch_all", "lost"}}).ok());

    const auto removed = fixture.remove("mailbox", "lost");

    REQUIRE(removed.ok());
    CHECK(
        said(removed) ==
        "warning: it is the catch_all of accepted-domain \"contoso.com\", which has none then: "
        "what nobody has is refused there from now on\n");
    CHECK(fixture.published.back()->default_domain().catch_all.empty());
    REQUIRE(fixture.create("mailbox", "lost", {}).ok());
    CHECK(fixture.published.back()->default_domain().catch_all.empty());
}

TEST_CASE("a domain that is always relayed has no recipients to find", "[config][domain]") {
    Fixture fixture;

    const auto made = fixture.create(
        "accepted-domain",
        "fabrikam.com",
        {{"type", "external-relay"}, {"catch_all", "postmaster"}, {"recipient_delimiter", "+"}});

    CHECK_THAT(said(made), Contains("catch_all: has no meaning while type is external-relay"));
    CHECK_THAT(
        said(made), Contains("recipient_delimiter: has no meaning while type is external-relay"));
}

// Reference 16, fact 11: the relay connector must use a smart host.
TEST_CASE("fact 11: relay domains need a connector with a smart host", "[config][domain]") {
    Fixture fixture;

    const auto alone =
        fixture.create("accepted-domain", "fabrikam.com", {{"type", "internal-relay"}});
    const auto by_mx = fixture.create("send-connector", "Internet", {{"address_spaces", "*"}});
    const auto by_host = fixture.create(
        "send-connector",
        "Fabrikam",
        {{"address_spaces", "fabrikam.com"}, {"smart_hosts", "192.0.2.7"}});

    CHECK(
        said(alone) ==
        "warning: accepted-domain \"fabrikam.com\": no send connector takes fabrikam.com, so mail "
        "for recipients unknown here waits until it expires; create one, with smtpctl "
        "send-connector create \"fabrikam.com\" --address-space \"fabrikam.com\" --smart-host "
        "HOST\n");
    CHECK_THAT(said(by_mx), Contains("leaves by send-connector \"Internet\", by MX"));
    CHECK(said(by_host) == "");
}

TEST_CASE("remote domains: the one for all others always exists", "[config][domain]") {
    Fixture fixture;
    REQUIRE(fixture.published.back()->remote_domains().size() == 1);

    const auto removed = fixture.remove("remote-domain", "default");
    const auto renamed = fixture.set("remote-domain", "Default", {{"name", "Everybody"}});
    const auto second = fixture.create("remote-domain", "All", {{"domain", "*"}});
    const auto switched =
        fixture.set("remote-domain", "Default", {{"auto_forward_enabled", false}});
    const auto own = fixture.create(
        "remote-domain", "Fabrikam", {{"domain", "*.fabrikam.com"}, {"ndr_enabled", false}});

    CHECK(
        said(removed) ==
        "remote-domain \"Default\": cannot be removed: it stands for every domain without an entry "
        "of its own; its switches can be changed\n");
    CHECK_THAT(said(renamed), Contains("name: is fixed"));
    CHECK_THAT(said(second), Contains("* is already the domain of remote-domain"));
    CHECK(switched.ok());
    CHECK(own.ok());
    const auto& organization = *fixture.published.back();
    const auto at = [&organization](const char* domain) -> const RemoteDomain& {
        return organization.find_remote_domain(DomainName::parse(domain).value());
    };
    CHECK(at("mail.fabrikam.com").name == "Fabrikam");
    CHECK_FALSE(at("fabrikam.com").ndr_enabled);
    CHECK(at("fabrikam.com").auto_forward_enabled);
    CHECK(at("example.org").name == "Default");
    CHECK_FALSE(at("example.org").auto_forward_enabled);
}

TEST_CASE("own words for a report: one text for a code and its readers", "[config][message]") {
    Fixture fixture;
    const json::object fields = {{"code", "5.1.1"}, {"text", "Look in the directory."}};
    REQUIRE(fixture.create("system-message", "nobody", fields).ok());

    const auto again = fixture.create("system-message", "nobody2", fields);
    const auto success =
        fixture.create("system-message", "fine", {{"code", "2.1.5"}, {"text", "Fine."}});
    const auto without = fixture.create("system-message", "empty", {{"code", "5.1.2"}});
    std::string umlauts;
    for (int i = 0; i < 512; ++i)
        umlauts += "\xc3\xb6";
    const auto long_text =
        fixture.create("system-message", "long", {{"code", "5.1.2"}, {"text", umlauts}});
    const auto too_long =
        fixture.create("system-message", "longer", {{"code", "5.1.3"}, {"text", umlauts + "x"}});
    const auto code = fixture.set("system-message", "nobody", {{"code", "5.1.2"}});

    CHECK_THAT(said(again), Contains("5.1.1 has a text for these senders already, in "));
    CHECK_THAT(said(success), Contains("is not allowed: write a status code such as 5.7.1"));
    CHECK_THAT(said(without), Contains("text: is required"));
    CHECK(long_text.ok());
    CHECK_THAT(said(too_long), Contains("the text is too long: at most 512 characters"));
    CHECK_THAT(said(code), Contains("can only be given when the object is created"));
    REQUIRE(fixture.published.back()->system_messages().size() == 2);
    CHECK(fixture.published.back()->system_messages()[1].code.text() == "5.1.1");
}

TEST_CASE("settings of flow and reports reach the flow", "[config][transport]") {
    Fixture fixture;

    const auto set = fixture.set(
        "transport-config",
        "",
        {{"recipient_validation", false},
         {"always_bcc", "journal@fabrikam.com"},
         {"forwarded_sender", "mailbox"},
         {"rewrite_sender_to_primary", false},
         {"expansion_size_limit", 50},
         {"external_postmaster_address", "help@contoso.com"},
         {"dsn_reporting_authority", "contoso.com"},
         {"generate_copy_of_dsn_for", json::array{"5.4.6", "4.4.7"}},
         {"double_bounce", "drop"},
         {"dsn_rate_limit", "unlimited"}});

    REQUIRE(set.ok());
    CHECK(
        said(set) ==
        "warning: transport-config, external_postmaster_address: help@contoso.com is in an "
        "accepted domain and nobody has it; give it to a mailbox, with smtpctl mailbox set NAME "
        "--add-address smtp:help@contoso.com\n");
    const auto& settings = fixture.published.back()->transport();
    CHECK_FALSE(settings.recipient_validation);
    CHECK(settings.always_bcc->text() == "journal@fabrikam.com");
    CHECK(settings.forwarded_sender == ForwardedSender::mailbox);
    CHECK_FALSE(settings.rewrite_sender_to_primary);
    CHECK(settings.expansion_size_limit == 50);
    CHECK(settings.external_postmaster_address->text() == "help@contoso.com");
    CHECK(settings.dsn_reporting_authority->text() == "contoso.com");
    REQUIRE(settings.generate_copy_of_dsn_for.size() == 2);
    CHECK(settings.generate_copy_of_dsn_for[1].text() == "4.4.7");
    CHECK(settings.double_bounce == DoubleBounce::drop);
    CHECK(settings.dsn_rate_limit == std::nullopt);
}

TEST_CASE("settings of flow and reports have the reference's defaults", "[config][transport]") {
    Fixture fixture;
    const auto& written = fixture.published.back()->transport();
    const TransportSettings standard;

    // Fact 10: off by default in the field; here it is on, and can be switched off.
    CHECK(written.recipient_validation);
    CHECK(written.always_bcc == std::nullopt);
    CHECK(written.forwarded_sender == standard.forwarded_sender);
    CHECK(written.rewrite_sender_to_primary == standard.rewrite_sender_to_primary);
    CHECK(written.expansion_size_limit == standard.expansion_size_limit);
    CHECK(written.external_postmaster_address == std::nullopt);
    CHECK(written.dsn_reporting_authority == std::nullopt);
    CHECK(written.double_bounce == standard.double_bounce);
    CHECK(written.dsn_rate_limit == standard.dsn_rate_limit);
    std::string copied;  // reference 10.2
    for (const auto& code : written.generate_copy_of_dsn_for)
        copied += code.text() + " ";
    CHECK(copied == "5.4.8 5.4.6 5.4.4 5.2.4 5.2.0 5.1.4 ");
}

}  // namespace mailflow
