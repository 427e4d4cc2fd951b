#include "tests/conformance/object_store_conformance.hpp"
#include "tests/storage/organization_fixture.hpp"
#include "tests/support/memory_object_store.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

TEST_CASE("objects in SQLite keep the port's promises", "[storage][conformance]") {
    OrganizationFixture fixture;
    check_object_store(fixture.test, fixture.database->objects());
}

TEST_CASE("objects in memory keep the port's promises", "[support][conformance]") {
    TestLane test;
    MemoryObjectStore store;
    check_object_store(test, store);
}

TEST_CASE("objects, recipients and versions outlive the process", "[storage][organization]") {
    OrganizationFixture fixture;
    const auto version = fixture.test.run(
        fixture.database->objects().change(0, {{"t", "a", "{\"x\":1}", {}}}, {"me", "create a"}));
    REQUIRE(version);

    fixture.reopen();

    const auto set = fixture.test.run(fixture.database->objects().read_all()).value();
    CHECK(set.version == *version);
    CHECK(names_of(set) == "t/a={\"x\":1} ");
    CHECK(fixture.test.run(fixture.database->objects().history(9)).value().size() == 1);
}

TEST_CASE("objects that follow a recipient change with it, or neither does", "[storage]") {
    OrganizationFixture fixture;
    auto& objects = fixture.database->objects();
    auto& recipients = fixture.database->recipients();
    const ChangeAuthor author{"me", "test"};
    MailRecipient alice;
    alice.name = alice.alias = "alice";
    alice.addresses = {EmailAddress::parse("alice@contoso.com").value()};
    REQUIRE(fixture.test.run(recipients.create(alice, author)));
    REQUIRE(fixture.test.run(objects.change(1, {{"t", "a", "1", {}}}, author)));
    const auto rename = [&](std::string name, ObjectEdits edits) {
        alice.name = std::move(name);
        return fixture.test.run(recipients.replace("alice", alice, author, std::move(edits)));
    };
    const auto stored = [&] {
        const auto there = fixture.test.run(recipients.find("alice")).value();
        return there.value_or(MailRecipient{}).name + " " +
               names_of(fixture.test.run(objects.read_all()).value());
    };

    const auto late = rename("eve", {1, {{"t", "a", "2", {}}}});
    const auto wrong = rename("eve", {2, {{"t", "a", "2", {}}, {"t", "none", {}, {}}}});
    CHECK(stored() == "alice t/a=1 ");
    const auto done = rename("eve", {2, {{"t", "a", "2", {}}}});
    CHECK(stored() == "eve t/a=2 ");
    const auto gone = fixture.test.run(recipients.remove("eve", author, {3, {{"t", "a", {}, {}}}}));

    CHECK(late.error() == Error::conflict);
    CHECK(wrong.error() == Error::not_found);
    CHECK(done);
    CHECK(gone);
    CHECK(stored() == " ");
}

TEST_CASE("recipients and objects share one sequence of versions", "[storage][organization]") {
    OrganizationFixture fixture;
    MailRecipient alice;
    alice.name = alice.alias = "alice";
    alice.addresses = {EmailAddress::parse("alice@contoso.com").value()};
    auto& objects = fixture.database->objects();

    REQUIRE(fixture.test.run(fixture.database->recipients().create(alice, {"me", "create alice"})));
    const auto late = fixture.test.run(objects.change(0, {{"t", "a", "{}", {}}}, {}));

    CHECK(late.error() == Error::conflict);
    CHECK(fixture.test.run(objects.read_all()).value().version == 1);
    const auto history = fixture.test.run(objects.history(9)).value();
    REQUIRE(history.size() == 1);
    CHECK(history[0].author.what == "create alice");
    CHECK(history[0].time == fixture.test.clock.now());
}

TEST_CASE("a failed sync fails the change and every later one", "[storage][organization]") {
    OrganizationFixture fixture;
    auto& objects = fixture.database->objects();
    fixture.faults.fail(DiskOperation::sync, 1, DiskFault::io_error);

    const auto failed = fixture.test.run(objects.change(0, {{"t", "a", "{}", {}}}, {}));
    const auto later = fixture.test.run(objects.change(0, {{"t", "a", "{}", {}}}, {}));

    CHECK(failed.error() == Error::store_failed);
    CHECK_FALSE(later);
    CHECK_FALSE(fixture.database->failure().empty());
}

TEST_CASE(
    "a full disk fails the change and is forgotten when there is room", "[storage][organization]") {
    OrganizationFixture fixture;
    auto& objects = fixture.database->objects();
    fixture.faults.fail(DiskOperation::write, 1, DiskFault::disk_full);

    const auto failed = fixture.test.run(objects.change(0, {{"t", "a", "{}", {}}}, {}));
    const auto later = fixture.test.run(objects.change(0, {{"t", "a", "{}", {}}}, {}));

    CHECK(failed.error() == Error::disk_full);
    CHECK(later);
}

TEST_CASE("an organization of a newer program is refused", "[storage][organization]") {
    OrganizationFixture fixture;
    fixture.test.run(fixture.database->close());
    fixture.database.reset();
    {
        SqliteConnection newer({fixture.path(), {}, SqlitePageSize::kib4}, SqliteRole::writer);
        newer.execute("PRAGMA user_version = 99");
    }

    const auto opened = OrganizationDatabase::open(
        {fixture.path(), {}, nullptr}, {fixture.runner, fixture.runner, fixture.test.clock});

    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == Error::newer_schema);
    CHECK_THAT(opened.error().text, Catch::Contains("organization.db has schema version 99"));
}

}  // namespace mailflow
