#include "config/organization_service.hpp"

#include "tests/config/service_fixture.hpp"
#include "tests/support/late_object_store.hpp"
#include "transport/base/error.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include <string>
#include <toml++/toml.h>
#include <vector>

namespace mailflow {

namespace json = boost::json;
using Status = ChangeOutcome::Status;

using Fixture = ServiceFixture;

TEST_CASE(
    "the first start creates what takes mail, and nothing that sends it", "[config][service]") {
    Fixture fixture;

    REQUIRE(fixture.published.size() == 1);
    const auto& organization = *fixture.published[0];
    REQUIRE(organization.accepted_domains().size() == 1);
    CHECK(organization.default_domain().domain.text() == "contoso.com");
    CHECK(organization.default_domain().type == AcceptedDomainType::authoritative);
    REQUIRE(organization.receive_connectors().size() == 1);
    const auto& connector = organization.receive_connectors()[0];
    CHECK(connector.name == "Default Frontend mail.contoso.com");
    CHECK(connector.bindings.size() == 2);
    CHECK(connector.remote_ranges.size() == 2);
    CHECK(has(anonymous_rights(connector), Permission::submit));
    CHECK_FALSE(has(anonymous_rights(connector), Permission::any_recipient));
    CHECK(organization.send_connectors().empty());
    CHECK(organization.transport().message_retry_interval == std::chrono::minutes(15));
    const auto postmaster = fixture.test.run(fixture.service.show_recipient("postmaster"));
    REQUIRE(postmaster.has_value());
    REQUIRE(*postmaster);
    CHECK((**postmaster).at("addresses") == json::array{"SMTP:postmaster@contoso.com"});
}

TEST_CASE("the defaults of the schema are those of the flow's settings", "[config][service]") {
    Fixture fixture;
    const auto& written = fixture.published[0]->transport();
    const TransportSettings standard;

    CHECK(written.max_send_size == standard.max_send_size);
    CHECK(written.max_receive_size == standard.max_receive_size);
    CHECK(written.max_recipient_envelope_limit == standard.max_recipient_envelope_limit);
    CHECK(written.queue_glitch_retry_count == standard.queue_glitch_retry_count);
    CHECK(written.queue_glitch_retry_interval == standard.queue_glitch_retry_interval);
    CHECK(written.transient_failure_retry_count == standard.transient_failure_retry_count);
    CHECK(written.transient_failure_retry_interval == standard.transient_failure_retry_interval);
    CHECK(
        written.outbound_connection_failure_retry_interval ==
        standard.outbound_connection_failure_retry_interval);
    CHECK(written.long_retry_after == standard.long_retry_after);
    CHECK(written.long_retry_interval == standard.long_retry_interval);
    CHECK(written.message_retry_interval == standard.message_retry_interval);
    CHECK(written.message_expiration_timeout == standard.message_expiration_timeout);
    CHECK(written.delay_notification_timeout == standard.delay_notification_timeout);
    CHECK(written.delay_dsn_enabled == standard.delay_dsn_enabled);
    CHECK(written.max_hop_count == standard.max_hop_count);
    CHECK(written.dsn_max_message_attach_size == standard.dsn_max_message_attach_size);
    CHECK(written.tracking_retention_days == standard.tracking_retention_days);
}

TEST_CASE("a second start finds what the first one made", "[config][service]") {
    Fixture fixture;
    OrganizationService again(
        {fixture.objects, fixture.recipients, {"mail.contoso.com", "default"}, nullptr});

    const auto problems = fixture.test.run(again.open({"fabrikam.com", {}}));

    REQUIRE(problems.has_value());
    CHECK(problems->empty());
    CHECK(again.organization()->default_domain().domain.text() == "contoso.com");
}

TEST_CASE("a first start with an impossible domain names it", "[config][service]") {
    TestLane test;
    MemoryObjectStore objects;
    MemoryRecipientStore recipients;
    OrganizationService service({objects, recipients, {"mail.contoso.com", "default"}, nullptr});

    const auto problems =
        test.run(service.open({"no domain", {Endpoint::parse("0.0.0.0:25").value()}}));

    REQUIRE(problems.has_value());
    REQUIRE_FALSE(problems->empty());
    CHECK_THAT((*problems)[0].text(), Catch::Contains("\"no domain\" is not allowed"));
    CHECK(service.organization() == nullptr);
}

TEST_CASE("a store that cannot be read is an error of the start", "[config][service]") {
    TestLane test;
    MemoryObjectStore objects;
    MemoryRecipientStore recipients;
    objects.fail_with(Error::store_failed);
    OrganizationService service({objects, recipients, {"mail.contoso.com", "default"}, nullptr});

    const auto problems = test.run(service.open({}));

    CHECK(problems.error() == Error::store_failed);
}

TEST_CASE("a document that cannot be read is named and nothing is published", "[config][service]") {
    Fixture fixture;
    const auto set = fixture.test.run(fixture.objects.read_all());
    const auto changed = fixture.test.run(fixture.objects.change(
        set->version, {{"send-connector", "Bad", "{\"nonsense\": 1}", {}}}, fixture.author));
    REQUIRE(changed);
    OrganizationService again(
        {fixture.objects, fixture.recipients, {"mail.contoso.com", "default"}, nullptr});

    const auto problems = fixture.test.run(again.open({}));

    REQUIRE(problems.has_value());
    REQUIRE_FALSE(problems->empty());
    CHECK_THAT(
        (*problems)[0].text(),
        Catch::Contains("send-connector \"Bad\", nonsense: there is no such"));
    CHECK(again.organization() == nullptr);
}

TEST_CASE("a created connector is stored, published and shown", "[config][service]") {
    Fixture fixture;

    const auto outcome = fixture.create(
        "send-connector", "Internet", {{"usage", "internet"}, {"address_spaces", {"SMTP:*"}}});

    CHECK(said(outcome) == "");
    CHECK(outcome.status == Status::done);
    CHECK(outcome.before.empty());
    CHECK(outcome.after.at("name").as_string() == "Internet");
    CHECK(outcome.after.at("routing").as_string() == "mx");
    CHECK(outcome.after.at("source_servers") == json::array{"mail.contoso.com"});
    REQUIRE(fixture.published.size() == 2);
    CHECK(fixture.published[1]->version() == outcome.version);
    REQUIRE(fixture.published[1]->send_connectors().size() == 1);
    CHECK(fixture.published[1]->send_connectors()[0].usage == SendUsage::internet);
    CHECK(fixture.service.show("send-connector", "INTERNET") == outcome.after);
    CHECK(fixture.service.list("send-connector").size() == 1);
}

TEST_CASE("what-if checks and shows a change without making it", "[config][service]") {
    Fixture fixture;

    const auto outcome =
        fixture.create("send-connector", "Internet", {{"address_spaces", {"smtp:*"}}}, true);
    const auto mailbox = fixture.create("mailbox", "alice", {}, true);

    CHECK(outcome.ok());
    CHECK(outcome.after.at("name").as_string() == "Internet");
    CHECK(mailbox.ok());
    CHECK(fixture.published.size() == 1);
    CHECK(fixture.service.list("send-connector").empty());
    CHECK_FALSE(*fixture.test.run(fixture.service.show_recipient("alice")));
}

TEST_CASE("a refused object says which field and what is allowed", "[config][service]") {
    Fixture fixture;

    struct Row {
        std::string type;
        std::string name;
        json::object fields;
        std::string says;
    };

    const std::vector<Row> table = {
        {"send-connector", "A", {}, "send-connector \"A\", address_spaces: is required"},
        {"send-connector",
         "A",
         {{"address_spaces", {"*contoso.com"}}},
         "address_spaces: \"*contoso.com\" is not allowed: write an address space such as smtp:*"},
        {"send-connector", "A", {{"address_spaces", {"smtp:*;0"}}}, "with a cost of 1 to 100"},
        {"send-connector", "A", {{"address_spaces", {"smtp:*;101"}}}, "is not allowed"},
        {"send-connector",
         "A",
         {{"address_spaces", {"*"}}, {"smart_hosts", {"bad host"}}},
         "smart_hosts: \"bad host\" is not allowed: write a host name or an address"},
        {"send-connector",
         "A",
         {{"address_spaces", {"*"}}, {"smart_hosts", {"relay.contoso.com"}}, {"routing", "mx"}},
         "routing: mx cannot stand together with smart_hosts"},
        {"send-connector",
         "A",
         {{"address_spaces", {"*"}}, {"routing", "smart-hosts"}},
         "smart_hosts: routing smart-hosts needs at least one"},
        {"send-connector",
         "A",
         {{"address_spaces", {"*"}}, {"source_servers", {"other.contoso.com"}}},
         "source_servers: other.contoso.com is not a known node"},
        {"send-connector", "", {{"address_spaces", {"*"}}}, "name: a name is required"},
        {"send-connector",
         std::string(65, 'x'),
         {{"address_spaces", {"*"}}},
         "at most 64 characters"},
        {"receive-connector",
         "A",
         {{"bindings", {"0.0.0.0:25"}}, {"remote_ranges", {"0.0.0.0/0"}}},
         "is already served by receive-connector \"Default Frontend mail.contoso.com\""},
        {"receive-connector",
         "default frontend MAIL.contoso.com",
         {{"bindings", {"0.0.0.0:26"}}},
         "name: is taken"},
        {"receive-connector",
         "A",
         {{"bindings", {"0.0.0.0:26"}}, {"banner", "hello"}},
         "banner: \"hello\" is not allowed: write one line"},
        {"accepted-domain", "Our domain", {}, "domain: \"Our domain\" is not allowed"},
        {"accepted-domain",
         "x",
         {{"domain", "a.*.contoso.com"}},
         "domain: \"a.*.contoso.com\" is not allowed: write a domain such as"},
        {"accepted-domain",
         "x",
         {{"domain", "CONTOSO.com"}},
         "contoso.com is already the domain of"},
        {"transport-config", "x", {}, "there is exactly one"},
        {"mailbox", "alice", {{"alias", "a/b"}}, "alias: \"a/b\" is not allowed: write at most 64"},
        {"mailbox",
         "alice",
         {{"addresses", {"alice@fabrikam.com"}}},
         "fabrikam.com is not an accepted domain; create it first, with accepted-domain create "
         "fabrikam.com"},
        {"mailbox", "alice", {{"addresses", {"alice"}}}, "addresses: \"alice\" is not allowed"},
        {"mailbox",
         "alice",
         {{"addresses", {"SMTP:a@contoso.com", "SMTP:b@contoso.com"}}},
         "only one address can be primary"},
        {"mailbox",
         "alice",
         {{"addresses", {"postmaster@contoso.com"}}},
         "postmaster@contoso.com belongs to mailbox \"postmaster\""},
        {"mailbox", "Postmaster", {}, "name: is taken by mailbox \"postmaster\""},
        {"mailbox", "Post", {{"alias", "postmaster"}}, "alias: postmaster is taken"},
    };
    for (const auto& row : table) {
        INFO(row.type << " " << row.name << " " << json::serialize(row.fields));
        const auto outcome = fixture.create(row.type, row.name, row.fields);
        CHECK(outcome.status == Status::refused);
        CHECK_THAT(said(outcome), Catch::Contains(row.says));
    }
    CHECK(fixture.published.size() == 1);
}

TEST_CASE("unknown types and objects are not found, with a suggestion", "[config][service]") {
    Fixture fixture;
    REQUIRE(fixture.create("send-connector", "Internet", {{"address_spaces", {"*"}}}).ok());

    const auto type = fixture.create("send-conector", "x", {});
    const auto object = fixture.set("send-connector", "Internt", {{"port", 26}});
    const auto gone = fixture.remove("mailbox", "nobody");

    CHECK(type.status == Status::not_found);
    CHECK_THAT(said(type), Catch::Contains("did you mean \"send-connector\"?"));
    CHECK(object.status == Status::not_found);
    CHECK_THAT(
        said(object),
        Catch::Contains("there is no send-connector \"Internt\"; did you mean \"Internet\"?"));
    CHECK(gone.status == Status::not_found);
}

TEST_CASE("routing follows the smart hosts where an edit names only those", "[config][service]") {
    Fixture fixture;
    REQUIRE(fixture.create("send-connector", "Internet", {{"address_spaces", {"*"}}}).ok());

    const auto relayed =
        fixture.set("send-connector", "Internet", {{"smart_hosts", {"127.0.0.1", "[127.0.0.2]"}}});
    const auto direct = fixture.set("send-connector", "Internet", {{"smart_hosts", ""}});
    const auto both = fixture.set(
        "send-connector", "Internet", {{"smart_hosts", {"127.0.0.1"}}, {"routing", "mx"}});

    CHECK(said(relayed) == "");
    CHECK(relayed.after.at("routing").as_string() == "smart-hosts");
    CHECK(relayed.after.at("smart_hosts") == json::array{"[127.0.0.1]", "[127.0.0.2]"});
    CHECK(direct.after.at("routing").as_string() == "mx");
    CHECK(both.status == Status::refused);
}

TEST_CASE("lists of mail values are edited in any spelling", "[config][service]") {
    Fixture fixture;
    REQUIRE(
        fixture
            .create("send-connector", "Internet", {{"address_spaces", {"smtp:*", "contoso.net;5"}}})
            .ok());

    const auto outcome = fixture.set(
        "send-connector",
        "Internet",
        {{"remove_address_spaces", {"SMTP:Contoso.NET;5"}},
         {"add_address_spaces", {"*.fabrikam.com"}}});

    CHECK(said(outcome) == "");
    CHECK(outcome.after.at("address_spaces").as_array().size() == 2);
}

TEST_CASE("a renamed object keeps its fields and its old name is free", "[config][service]") {
    Fixture fixture;
    REQUIRE(fixture.create("send-connector", "Internet", {{"address_spaces", {"*"}}}).ok());
    REQUIRE(fixture.create("send-connector", "Other", {{"address_spaces", {"*"}}}).ok());

    const auto taken = fixture.set("send-connector", "Other", {{"name", "internet"}});
    const auto renamed =
        fixture.set("send-connector", "Internet", {{"name", "World"}, {"port", 26}});

    CHECK_THAT(said(taken), Catch::Contains("name: \"internet\" is taken"));
    CHECK(said(renamed) == "");
    CHECK(renamed.before.at("name").as_string() == "Internet");
    CHECK(renamed.after.at("name").as_string() == "World");
    CHECK(fixture.service.show("send-connector", "World")->at("port").as_int64() == 26);
    CHECK_FALSE(fixture.service.show("send-connector", "Internet"));
}

TEST_CASE("the default flag of accepted domains moves and never goes", "[config][service]") {
    Fixture fixture;
    REQUIRE(fixture.create("accepted-domain", "fabrikam.com", {}).ok());

    const auto gone = fixture.set("accepted-domain", "contoso.com", {{"default", false}});
    const auto removed = fixture.remove("accepted-domain", "contoso.com");
    const auto moved = fixture.set("accepted-domain", "fabrikam.com", {{"default", true}});

    CHECK_THAT(said(gone), Catch::Contains("no accepted domain would be the default"));
    CHECK(removed.status == Status::refused);
    CHECK(moved.ok());
    CHECK_THAT(said(moved), Catch::Contains("warning: nobody is postmaster@fabrikam.com any more"));
    CHECK(fixture.published.back()->default_domain().domain.text() == "fabrikam.com");
    CHECK_FALSE(fixture.service.show("accepted-domain", "contoso.com")->at("default").as_bool());
}

TEST_CASE("an accepted domain in use cannot be removed", "[config][service]") {
    Fixture fixture;
    REQUIRE(
        fixture.create("accepted-domain", "all of fabrikam", {{"domain", "*.fabrikam.com"}}).ok());
    REQUIRE(fixture
                .create(
                    "mailbox",
                    "alice",
                    {{"addresses", {"alice@contoso.com", "alice@sub.fabrikam.com"}}})
                .ok());

    const auto refused = fixture.remove("accepted-domain", "all of fabrikam");
    REQUIRE(
        fixture.set("mailbox", "alice", {{"remove_addresses", {"alice@sub.fabrikam.com"}}}).ok());
    const auto removed = fixture.remove("accepted-domain", "all of fabrikam");

    CHECK(
        said(refused) ==
        "accepted-domain \"all of fabrikam\": is in use: 1 recipients have an address in "
        "sub.fabrikam.com; remove those addresses or recipients first\n");
    CHECK(removed.ok());
}

TEST_CASE("a change that shuts the world out is made and warned of", "[config][service]") {
    Fixture fixture;

    const auto outcome =
        fixture.set("receive-connector", "Default Frontend mail.contoso.com", {{"enabled", false}});

    CHECK(outcome.ok());
    CHECK(said(outcome) == "warning: no receive connector is left that takes mail from outside\n");
}

TEST_CASE("what was wrong before does not stop an edit elsewhere", "[config][service]") {
    Fixture fixture;
    auto broken = fixture.create("send-connector", "Internet", {{"address_spaces", {"*"}}}).after;
    broken.erase("name");
    broken["source_servers"] = json::array{"gone.contoso.com"};
    const auto version = fixture.test.run(fixture.objects.read_all()).value().version;
    std::vector<ObjectChange> changes = {
        {"send-connector", "Internet", json::serialize(broken), {}}};
    REQUIRE(fixture.test.run(fixture.objects.change(version, changes, fixture.author)));
    OrganizationService later(
        {fixture.objects, fixture.recipients, {"mail.contoso.com", "default"}, nullptr});

    const auto problems = fixture.test.run(later.open({}));
    const auto elsewhere =
        fixture.test.run(later.create({"accepted-domain", "fabrikam.com", {}, fixture.author}));
    const auto there =
        fixture.test.run(later.set({"send-connector", "Internet", {{"port", 26}}, fixture.author}));
    const auto mended = fixture.test.run(
        later.set({"send-connector", "Internet", {{"source_servers", ""}}, fixture.author}));

    REQUIRE(problems.has_value());
    REQUIRE(problems->size() == 1);
    CHECK_THAT((*problems)[0].text(), Catch::Contains("gone.contoso.com is not a known node"));
    CHECK(later.organization() != nullptr);
    CHECK(elsewhere.ok());
    CHECK(there.status == Status::refused);
    CHECK(mended.ok());
}

TEST_CASE("a mailbox gets its addresses at once", "[config][service]") {
    Fixture fixture;

    const auto outcome =
        fixture.create("mailbox", "alice.smith", {{"first_name", "Alice"}, {"last_name", "Smith"}});

    CHECK(said(outcome) == "");
    CHECK(outcome.after.at("alias").as_string() == "alice.smith");
    CHECK(outcome.after.at("display_name").as_string() == "Alice Smith");
    CHECK(outcome.after.at("addresses") == json::array{"SMTP:alice.smith@contoso.com"});
}

TEST_CASE("the primary address moves and the former one stays a proxy", "[config][service]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "alice", {{"addresses", {"alice@contoso.com"}}}).ok());

    const auto moved =
        fixture.set("mailbox", "alice", {{"add_addresses", {"SMTP:asmith@contoso.com"}}});
    const auto added = fixture.set("mailbox", "alice", {{"add_addresses", {"al@contoso.com"}}});
    const auto kept =
        fixture.set("mailbox", "alice", {{"remove_addresses", {"asmith@contoso.com"}}});

    CHECK(
        moved.after.at("addresses") ==
        json::array{"SMTP:asmith@contoso.com", "smtp:alice@contoso.com"});
    CHECK(
        added.after.at("addresses") ==
        json::array{"SMTP:asmith@contoso.com", "smtp:alice@contoso.com", "smtp:al@contoso.com"});
    CHECK_THAT(said(kept), Catch::Contains("the primary address cannot go"));
}

TEST_CASE("nobody being postmaster any more is warned of", "[config][service]") {
    Fixture fixture;

    const auto outcome = fixture.remove("mailbox", "postmaster");

    CHECK(outcome.ok());
    CHECK_THAT(
        said(outcome), Catch::Contains("warning: nobody is postmaster@contoso.com any more"));
}

TEST_CASE("edits that come together take turns and all count", "[config][service]") {
    Fixture fixture;
    LateObjectStore late(fixture.objects, fixture.test.context);
    OrganizationService service(
        {late, fixture.recipients, {"mail.contoso.com", "default"}, nullptr});
    REQUIRE(fixture.test.run(service.open({})).has_value());
    constexpr int kEdits = 5;
    int done = 0;
    for (int i = 0; i < kEdits; ++i) {
        asio::co_spawn(
            fixture.test.context,
            service.create({"accepted-domain", "d" + std::to_string(i) + ".com", {}, {}}),
            [&done](const std::exception_ptr& error, const ChangeOutcome& outcome) {
                done += !error && outcome.ok();
            });
    }

    fixture.test.poll();

    CHECK(done == kEdits);
    CHECK(service.list("accepted-domain").size() == kEdits + 1);
}

TEST_CASE("a change the store does not take is told and not published", "[config][service]") {
    Fixture fixture;
    fixture.objects.fail_with(Error::disk_full);

    const auto outcome = fixture.create("accepted-domain", "fabrikam.com", {});

    CHECK(outcome.status == Status::failed);
    CHECK(outcome.error == Error::disk_full);
    CHECK_THAT(said(outcome), Catch::Contains("could not be stored"));
    CHECK(fixture.published.size() == 1);
}

TEST_CASE("history tells who changed what, newest first", "[config][service]") {
    Fixture fixture;
    fixture.author.what = "accepted-domain create fabrikam.com";
    REQUIRE(fixture.create("accepted-domain", "fabrikam.com", {}).ok());

    const auto history = fixture.test.run(fixture.service.history(10));

    REQUIRE(history.has_value());
    REQUIRE(history->size() == 2);
    CHECK((*history)[0].author.who == "uid=0(root)");
    CHECK((*history)[0].author.what == "accepted-domain create fabrikam.com");
    CHECK((*history)[1].author.what == "first start");
}

TEST_CASE("an export is TOML that gives the same objects back", "[config][service][toml]") {
    Fixture fixture;
    REQUIRE(fixture
                .create(
                    "send-connector",
                    "Quoted \"\\ name",
                    {{"address_spaces", {"smtp:*;5", "contoso.net"}}, {"port", 26}})
                .ok());
    REQUIRE(fixture.create("mailbox", "alice", {{"display_name", "Alice \xC3\x9C"}}).ok());

    const auto text = fixture.test.run(fixture.service.export_toml());
    const auto again = fixture.test.run(fixture.service.export_toml());

    REQUIRE(text);
    CHECK(*text == *again);
    const auto table = toml::parse(*text);
    const auto& connector = *table["send_connector"].as_array()->get(0)->as_table();
    json::object fields;
    for (const auto& [key, node] : connector) {
        if (key.str() == "name") continue;
        if (const auto* list = node.as_array()) {
            json::array values;
            for (const auto& value : *list)
                values.emplace_back(*value.value<std::string>());
            fields[key.str()] = values;
        } else if (node.is_boolean()) {
            fields[key.str()] = *node.value<bool>();
        } else if (node.is_integer()) {
            fields[key.str()] = *node.value<std::int64_t>();
        } else {
            fields[key.str()] = *node.value<std::string>();
        }
    }
    const auto back = schema::normalize(*schema::find_type("send-connector"), fields);
    const auto stored = fixture.service.show("send-connector", "Quoted \"\\ name");
    REQUIRE(stored);
    auto without_name = *stored;
    without_name.erase("name");
    CHECK(back.ok());
    CHECK(back.document == without_name);
    CHECK(*connector["name"].value<std::string>() == "Quoted \"\\ name");
    CHECK(table["transport_config"]["message_retry_interval"].value<std::string>() == "15m");
    CHECK(table["mailbox"].as_array()->size() == 2);
    CHECK(table["accepted_domain"][0]["domain"].value<std::string>() == "contoso.com");
}

}  // namespace mailflow
