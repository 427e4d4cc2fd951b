#include "config/organization_service.hpp"
#include "config/scram_text.hpp"
#include "tests/config/service_fixture.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <string>
#include <vector>

namespace mailflow {

namespace json = boost::json;

namespace {

struct Fixture : ServiceFixture {
    MailRecipient stored(const std::string& name) {
        auto found = test.run(recipients.find(name)).value();
        REQUIRE(found);
        return *found;
    }

    std::vector<std::string> addresses(const std::string& name) {
        std::vector<std::string> texts;
        for (const auto& address : stored(name).addresses)
            texts.push_back(address.text());
        return texts;
    }

    std::vector<std::string> members(const std::string& group) {
        return test.run(recipients.members(group, {}, 100)).value();
    }

    BatchOutcome import(std::vector<json::object> rows, bool what_if = false) {
        ImportRequest request{RecipientKind::mailbox, {}, author, what_if};
        for (auto& row : rows)
            request.rows.push_back({request.rows.size() + 1, std::move(row)});
        return test.run(service.import_recipients(std::move(request)));
    }

    PolicyRunPage apply(PolicyRunRequest request = {}) {
        request.author = author;
        return test.run(service.apply_policies(std::move(request)));
    }

    void set_policy(const std::string& address_template) {
        REQUIRE(set("address-policy", "Default Policy", {{"templates", {address_template}}}).ok());
    }
};

std::string said(const RowOutcome& row) {
    std::string text;
    for (const auto& problem : row.problems)
        text += problem.field + ": " + problem.message + "\n";
    return text;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a new recipient has the addresses of its policy at once", "[config][recipient]") {
    Fixture fixture;
    fixture.set_policy("SMTP:%g.%s@contoso.com");

    REQUIRE(fixture.create("mailbox", "a", {{"first_name", "Ann"}, {"last_name", "Lee"}}).ok());
    const auto second =
        fixture.create("mailbox", "b", {{"first_name", "Ann"}, {"last_name", "Lee"}});
    REQUIRE(fixture.create("group", "All staff", {}).ok());

    CHECK(fixture.addresses("a") == Texts{"Ann.Lee@contoso.com"});
    CHECK(fixture.stored("a").upn == "Ann.Lee@contoso.com");
    CHECK(fixture.addresses("b") == Texts{"Ann.Lee2@contoso.com"});
    CHECK_THAT(said(second), Catch::Contains("Ann.Lee2@contoso.com carries a number"));
    CHECK(fixture.stored("All staff").alias == "Allstaff");
    CHECK(fixture.stored("All staff").limits.require_authenticated_sender);
}

TEST_CASE("a primary address given by hand turns the policy off", "[config][recipient]") {
    Fixture fixture;

    REQUIRE(fixture.create("mailbox", "a", {{"addresses", {"boss@contoso.com"}}}).ok());
    REQUIRE(fixture.create("mailbox", "b", {{"addresses", {"smtp:second@contoso.com"}}}).ok());
    const auto both = fixture.create(
        "mailbox", "c", {{"addresses", {"SMTP:x@contoso.com"}}, {"address_policy_enabled", true}});

    CHECK_FALSE(fixture.stored("a").address_policy_enabled);
    CHECK(fixture.addresses("a") == Texts{"boss@contoso.com"});
    CHECK(fixture.stored("b").address_policy_enabled);
    CHECK(fixture.addresses("b") == Texts{"b@contoso.com", "second@contoso.com"});
    CHECK_THAT(said(both), Catch::Contains("leave address_policy_enabled out"));
}

TEST_CASE("a policy's primary address cannot be changed by hand", "[config][recipient]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "a", {}).ok());

    const auto refused =
        fixture.set("mailbox", "a", {{"add_addresses", {"SMTP:boss@contoso.com"}}});
    CHECK_THAT(said(refused), Catch::Contains("add --address-policy-enabled false"));
    CHECK(fixture.set("mailbox", "a", {{"add_addresses", {"smtp:boss@contoso.com"}}}).ok());
    CHECK(fixture.addresses("a") == Texts{"a@contoso.com", "boss@contoso.com"});
    const auto off = fixture.set(
        "mailbox",
        "a",
        {{"add_addresses", {"SMTP:boss@contoso.com"}}, {"address_policy_enabled", false}});

    CHECK(off.ok());
    CHECK_THAT(said(off), Catch::Contains("--upn primary"));
    CHECK(fixture.addresses("a") == Texts{"boss@contoso.com", "a@contoso.com"});
    CHECK(fixture.set("mailbox", "a", {{"address_policy_enabled", true}}).ok());
    CHECK(fixture.addresses("a") == Texts{"a@contoso.com", "boss@contoso.com"});
}

TEST_CASE("a new alias moves the primary address only under a policy", "[config][recipient]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "a", {}).ok());
    REQUIRE(fixture.create("mailbox", "b", {{"addresses", {"b@contoso.com"}}}).ok());

    REQUIRE(fixture.set("mailbox", "a", {{"alias", "ann"}}).ok());
    REQUIRE(fixture.set("mailbox", "b", {{"alias", "bill"}}).ok());

    CHECK(fixture.addresses("a") == Texts{"ann@contoso.com", "a@contoso.com"});
    CHECK(fixture.stored("a").upn == "a@contoso.com");
    CHECK(fixture.addresses("b") == Texts{"b@contoso.com"});
    CHECK(fixture.set("mailbox", "a", {{"upn", "primary"}}).ok());
    CHECK(fixture.stored("a").upn == "ann@contoso.com");
}

TEST_CASE(
    "a contact's primary is its external address unless one of ours is given",
    "[config][recipient]") {
    Fixture fixture;
    REQUIRE(
        fixture.create("contact", "Carol Jones", {{"external_address", "c@fabrikam.com"}}).ok());
    REQUIRE(fixture
                .create(
                    "contact",
                    "dan",
                    {{"external_address", "d@fabrikam.com"}, {"addresses", {"dan@contoso.com"}}})
                .ok());

    CHECK(fixture.addresses("Carol Jones") == Texts{"c@fabrikam.com"});
    CHECK(fixture.addresses("dan") == Texts{"dan@contoso.com"});
    CHECK(fixture.set("contact", "Carol Jones", {{"alias", "cj"}}).ok());
    CHECK(fixture.addresses("Carol Jones") == Texts{"c@fabrikam.com"});
    CHECK(fixture.set("contact", "cj", {{"external_address", "carol@example.org"}}).ok());
    CHECK(fixture.addresses("Carol Jones") == Texts{"carol@example.org"});
    CHECK(fixture.stored("Carol Jones").upn.empty());
    CHECK_FALSE(fixture.create("contact", "nowhere", {}).ok());
}

TEST_CASE("members come and go without the group being written anew", "[config][recipient]") {
    Fixture fixture;
    for (const auto* name : {"a", "b", "c"})
        REQUIRE(fixture.create("mailbox", name, {}).ok());
    REQUIRE(fixture.create("group", "G", {{"members", {"a", "B@contoso.com"}}}).ok());
    CHECK(fixture.members("G") == Texts{"a", "b"});

    CHECK(fixture.set("group", "G", {{"add_members", "c"}, {"remove_members", {"a"}}}).ok());
    CHECK(fixture.members("G") == Texts{"b", "c"});
    CHECK(fixture.set("group", "G", {{"members", {"a", "c"}}}).ok());
    CHECK(fixture.members("G") == Texts{"a", "c"});

    const auto itself = fixture.set("group", "G", {{"add_members", {"g"}}});
    const auto nobody = fixture.set("group", "G", {{"add_members", {"a", "x"}}});
    const auto both = fixture.set("group", "G", {{"report_to_owner", true}, {"owners", {"a"}}});
    CHECK_THAT(said(itself), Catch::Contains("members: a group cannot be its own member"));
    CHECK_THAT(said(nobody), Catch::Contains("members: there is no recipient \"x\""));
    CHECK_THAT(said(both), Catch::Contains("never to both"));
    CHECK(fixture.members("G") == Texts{"a", "c"});
}

TEST_CASE(
    "recipients that are named are there, and none is forwarded to itself", "[config][recipient]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "a", {}).ok());
    REQUIRE(fixture.create("mailbox", "b", {}).ok());

    CHECK(fixture.set("mailbox", "a", {{"forwarding_recipient", "B@CONTOSO.com"}}).ok());
    CHECK(fixture.stored("a").forwarding.recipient == "b");
    for (const auto* field : {"forwarding_recipient", "accept_from", "reject_from"}) {
        const auto refused = fixture.set("mailbox", "a", {{field, "nobody"}});
        CHECK_THAT(
            said(refused),
            Catch::Contains(std::string(field) + ": there is no recipient \"nobody\""));
    }
    CHECK_THAT(
        said(fixture.set("mailbox", "a", {{"forwarding_recipient", "a@contoso.com"}})),
        Catch::Contains("cannot be forwarded to itself"));
    const auto removed = fixture.remove("mailbox", "b", true);
    CHECK(removed.ok());
    CHECK_THAT(said(removed), Catch::Contains("\"a\" (forwarding)"));
}

TEST_CASE("nobody is opened to all senders by a removal", "[config][recipient]") {
    Fixture fixture;
    for (const auto* name : {"boss", "chief", "secretary", "deputy"})
        REQUIRE(fixture.create("mailbox", name, {}).ok());
    REQUIRE(fixture.create("group", "staff", {{"accept_from", "secretary"}}).ok());
    REQUIRE(fixture.set("mailbox", "boss", {{"accept_from", "secretary"}}).ok());
    REQUIRE(fixture.set("mailbox", "chief", {{"accept_from", {"secretary", "deputy"}}}).ok());
    REQUIRE(fixture.set("mailbox", "secretary", {{"accept_from", "secretary"}}).ok());

    const auto refused = fixture.remove("mailbox", "secretary");
    const auto preview = fixture.remove("mailbox", "secretary", true);
    REQUIRE(fixture.remove("mailbox", "deputy").ok());
    const auto three = fixture.remove("mailbox", "secretary");
    for (const auto* name : {"boss", "chief"})
        REQUIRE(fixture.set("mailbox", name, {{"accept_from", "boss"}}).ok());
    REQUIRE(fixture.set("group", "staff", {{"accept_from", nullptr}}).ok());
    const auto removed = fixture.remove("mailbox", "secretary");

    CHECK(
        said(refused) ==
        "mailbox \"secretary\": is all that accept_from of \"boss\", \"staff\" names, and "
        "without it everybody could send there: change that first, with --accept-from NAME (or "
        "--accept-from none, to open it)\n");
    CHECK(said(preview) == said(refused));
    CHECK_THAT(said(three), Catch::Contains("\"boss\", \"chief\", \"staff\""));
    CHECK(removed.ok());
}

TEST_CASE("an import is taken whole, or not at all", "[config][recipient]") {
    Fixture fixture;
    const auto row = [](std::uint64_t number, json::object fields) {
        return ImportRequest::Row{number, std::move(fields)};
    };
    const auto stage = [&](std::vector<ImportRequest::Row> rows, std::string id, bool first) {
        ImportRequest request{RecipientKind::mailbox, std::move(rows), fixture.author};
        return fixture.test.run(
            fixture.service.stage_recipients(std::move(request), {std::move(id), first}));
    };
    const auto finish = [&](std::string id) {
        return fixture.test.run(
            fixture.service.import_staged_recipients(std::move(id), fixture.author));
    };
    const auto is_there = [&](const char* name) {
        return fixture.test.run(fixture.service.show_recipient(name)).value().has_value();
    };
    std::vector<ImportRequest::Row> many;
    for (std::uint64_t i = 0; i < 1500; ++i)
        many.push_back(row(i + 2, {{"name", "user" + std::to_string(i)}}));
    // Two come to the same address: the second has a number, as one by one.
    many.push_back(row(2000, {{"name", "J. Doe"}, {"alias", "jdoe"}, {"password", "secret"}}));
    many.push_back(row(2001, {{"name", "first"}, {"forwarding_recipient", "last"}}));
    const std::vector<ImportRequest::Row> rest = {
        row(2002, {{"name", "sales"}, {"kind", "group"}, {"members", {"user7", "last"}}}),
        row(2003, {{"name", "last"}})};

    REQUIRE(stage(many, "one", true).problems.empty());
    REQUIRE(stage(rest, "one", false).problems.empty());
    CHECK_FALSE(is_there("user0"));
    CHECK(fixture.hashed == 1);
    for (const auto& staged : fixture.test.run(fixture.recipients.staged({}, 9999)).value())
        REQUIRE(staged.document.find("\"password\"") == std::string::npos);
    // Meanwhile somebody takes what the last row wants.
    REQUIRE(fixture.create("mailbox", "meanwhile", {{"alias", "last"}}).ok());
    const auto refused = finish("one");

    CHECK_FALSE(refused.error);
    REQUIRE(refused.counts);
    CHECK(refused.counts->refused == 1);
    REQUIRE(refused.rows.size() == 1);
    CHECK(refused.rows[0].row == 2003);
    for (const auto* name : {"user0", "user1499", "first", "sales"})
        CHECK_FALSE(is_there(name));

    REQUIRE(fixture.remove("mailbox", "meanwhile").ok());
    CHECK_FALSE(finish("one").problems.empty());  // it is over
    REQUIRE(stage(many, "two", true).problems.empty());
    CHECK_FALSE(stage(rest, "one", false).problems.empty());
    REQUIRE(stage(rest, "two", false).problems.empty());
    const auto taken = finish("two");

    REQUIRE(taken.counts);
    CHECK(taken.counts->created == 1504);
    CHECK(taken.counts->refused == 0);
    CHECK(fixture.stored("first").forwarding.recipient == "last");
    CHECK(fixture.members("sales") == Texts{"last", "user7"});
    CHECK(fixture.stored("J. Doe").verifier.has_value());
    CHECK(fixture.test.run(fixture.recipients.staged({}, 1)).value().empty());
}

TEST_CASE(
    "an import takes the good rows and names what is wrong with the others",
    "[config][recipient]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "old", {}).ok());

    const auto outcome = fixture.import(
        {{{"name", "a"}, {"forwarding_recipient", "b"}},
         {{"name", "b"}, {"kind", "group"}, {"members", {"a", "old"}}},
         {{"name", "c"}, {"addresses", {"a@contoso.com"}}},
         {{"name", "old"}, {"first_name", "Olga"}},
         {{"name", "a"}},
         {{"name", "d"}, {"send_as", {"nobody"}}},
         {{"name", "e"}, {"kind", "robot"}},
         {{"name", "old2"}, {"shoe_size", 43}}});

    using Status = RowOutcome::Status;
    const auto& rows = outcome.rows;
    REQUIRE(rows.size() == 8);
    CHECK(rows[0].status == Status::created);
    CHECK(rows[1].status == Status::created);
    CHECK_THAT(said(rows[2]), Catch::Contains("addresses: a@contoso.com is also in row 1"));
    CHECK(rows[3].status == Status::updated);
    CHECK_THAT(said(rows[4]), Catch::Contains("name: is also in row 1"));
    CHECK(rows[5].missing == Texts{"nobody"});
    CHECK_THAT(said(rows[6]), Catch::Contains("kind: \"robot\" is none"));
    CHECK_THAT(said(rows[7]), Catch::Contains("shoe_size: there is no such field"));
    CHECK(fixture.stored("a").forwarding.recipient == "b");
    CHECK(fixture.members("b") == Texts{"a", "old"});
    CHECK(fixture.stored("old").first_name == "Olga");
}

TEST_CASE("rows of an export come back as they were, policy or not", "[config][recipient]") {
    Fixture fixture;
    const json::object row = {
        {"name", "a"},
        {"addresses", {"SMTP:elsewhere@contoso.com", "smtp:a@contoso.com"}},
        {"address_policy_enabled", true},
        {"scram_verifier", scram_text({4096, "salt", {1}, {2}})}};
    REQUIRE(fixture.import({row}).rows[0].status == RowOutcome::Status::created);

    CHECK(fixture.addresses("a") == Texts{"elsewhere@contoso.com", "a@contoso.com"});
    CHECK(fixture.stored("a").address_policy_enabled);
    CHECK(fixture.stored("a").verifier == ScramVerifier{4096, "salt", {1}, {2}});
    CHECK(fixture.import({row}).rows[0].status == RowOutcome::Status::unchanged);
    CHECK_FALSE(parse_scram("SCRAM-SHA-256$0:c2FsdA==$AA==:AA==").has_value());
}

TEST_CASE(
    "applying a policy changes addresses, keeps the old ones and no login name",
    "[config][recipient]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "a", {}).ok());
    REQUIRE(fixture.create("mailbox", "b", {{"addresses", {"b@contoso.com"}}}).ok());
    REQUIRE(fixture.create("accepted-domain", "fabrikam.com", {}).ok());
    fixture.set_policy("@fabrikam.com");
    const auto applied = [&fixture] {
        return fixture.published.back()->address_policies().back().applied;
    };
    CHECK_FALSE(applied());

    const auto preview = fixture.apply({.what_if = true});
    CHECK(preview.changes.size() == 2);
    CHECK(fixture.addresses("a") == Texts{"a@contoso.com"});
    const auto page = fixture.apply({.policy = "default policy"});

    REQUIRE(page.changes.size() == 2);  // and the postmaster; b manages its own
    CHECK(page.changes[0].name == "a");
    CHECK(page.changes[0].old_primary == "a@contoso.com");
    CHECK(page.changes[0].new_primary == "a@fabrikam.com");
    CHECK(page.changes[0].added == Texts{"a@fabrikam.com"});
    REQUIRE(page.other_logins.size() == 2);
    CHECK(page.other_logins[0].upn == "a@contoso.com");
    CHECK(fixture.addresses("a") == Texts{"a@fabrikam.com", "a@contoso.com"});
    CHECK(fixture.addresses("b") == Texts{"b@contoso.com"});
    CHECK(applied());
    CHECK(fixture.apply().changes.empty());
    CHECK_FALSE(fixture.apply({.policy = "nobody's"}).problems.empty());
    CHECK_FALSE(fixture.apply({.mark = "of another day"}).problems.empty());
}

TEST_CASE("secondary addresses alone leave the primary where it is", "[config][recipient]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "a", {{"first_name", "Ann"}}).ok());
    REQUIRE(fixture
                .set(
                    "address-policy",
                    "Default Policy",
                    {{"templates", {"SMTP:%g@contoso.com", "smtp:%g.a@contoso.com"}}})
                .ok());

    const auto page = fixture.apply({.secondary_only = true});

    CHECK(fixture.addresses("a") == Texts{"a@contoso.com", "Ann.a@contoso.com"});
    CHECK_FALSE(fixture.published.back()->address_policies().back().applied);
}

TEST_CASE("one change goes to all that fulfil a condition", "[config][recipient]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "a", {{"upn", "old@contoso.com"}}).ok());
    REQUIRE(fixture.create("mailbox", "b", {}).ok());
    SetWhereRequest request;
    request.query.kind = RecipientKind::mailbox;
    request.query.where.emplace_back("upn != primary");
    request.fields["upn"] = "primary";
    request.author = fixture.author;

    const auto outcome = fixture.test.run(fixture.service.set_recipients(request));

    REQUIRE(outcome.rows.size() == 1);
    CHECK(outcome.rows[0].name == "a");
    CHECK(fixture.stored("a").upn == "a@contoso.com");
    request.query.where.front() = "upn !!";
    CHECK_FALSE(fixture.test.run(fixture.service.set_recipients(request)).problems.empty());
}

TEST_CASE("lists are given page by page", "[config][recipient]") {
    Fixture fixture;
    for (const auto* name : {"a", "b", "c", "d"})
        REQUIRE(fixture.create("mailbox", name, {}).ok());
    RecipientQuery query{.kind = RecipientKind::mailbox, .where = {"name != b"}, .limit = 2};
    Texts names;
    do {
        const auto page = fixture.test.run(fixture.service.list_recipients(query)).value();
        CHECK(page.rows.size() <= 2);
        for (const auto& row : page.rows)
            names.emplace_back(row.at("name").as_string());
        query.after = page.next;
    } while (!query.after.empty());

    CHECK(names == Texts{"a", "c", "d", "postmaster"});
}

}  // namespace mailflow
