#include "tests/conformance/recipient_store_conformance.hpp"
#include "tests/storage/organization_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>

#include <optional>
#include <string>

namespace mailflow {

namespace {

struct DirectoryFixture : OrganizationFixture {
    std::unique_ptr<SqliteDirectory> directory_of_lane =
        database->make_directory(test.context.get_executor(), 3);

    std::string find(const std::string& address) {
        const auto found =
            test.run(directory_of_lane->find_recipient(EmailAddress::parse(address).value()));
        if (!found) return found.error().message();
        return *found == nullptr ? "nobody" : (*found)->name;
    }

    void add(const std::string& name) {
        REQUIRE(test.run(database->recipients().create(
            mailbox_of(name, name, {name + "@contoso.com"}), {"me", "add"})));
    }
};

}  // namespace

TEST_CASE("the directory knows recipients by any address, without case", "[storage][directory]") {
    DirectoryFixture fixture;
    fixture.add("alice");

    CHECK(fixture.find("ALICE@contoso.com") == "alice");
    CHECK(fixture.find("bob@contoso.com") == "nobody");
}

TEST_CASE(
    "the directory answers again without a look-up, also for nobody", "[storage][directory]") {
    DirectoryFixture fixture;
    fixture.add("alice");

    CHECK(fixture.find("alice@contoso.com") == "alice");
    CHECK(fixture.find("bob@contoso.com") == "nobody");
    const auto looked_up = fixture.directory_of_lane->batches();
    CHECK(fixture.find("alice@contoso.com") == "alice");
    CHECK(fixture.find("BOB@contoso.com") == "nobody");

    CHECK(fixture.directory_of_lane->batches() == looked_up);
}

TEST_CASE("a change of recipients is seen by the next question", "[storage][directory]") {
    DirectoryFixture fixture;
    CHECK(fixture.find("alice@contoso.com") == "nobody");

    fixture.add("alice");
    CHECK(fixture.find("alice@contoso.com") == "alice");
    REQUIRE(fixture.test.run(fixture.database->recipients().remove("alice", {"me", "remove"})));

    CHECK(fixture.find("alice@contoso.com") == "nobody");
}

TEST_CASE("the directory's cache is bounded and drops the longest unused", "[storage][directory]") {
    DirectoryFixture fixture;
    for (const auto* name : {"a", "b", "c"})
        fixture.find(std::string(name) + "@contoso.com");
    fixture.find("a@contoso.com");
    fixture.find("d@contoso.com");
    const auto looked_up = fixture.directory_of_lane->batches();

    fixture.find("a@contoso.com");
    CHECK(fixture.directory_of_lane->batches() == looked_up);
    fixture.find("b@contoso.com");

    CHECK(fixture.directory_of_lane->batches() == looked_up + 1);
    CHECK(fixture.directory_of_lane->cached() == 3);
}

TEST_CASE("questions asked while a look-up is away go in one batch", "[storage][directory]") {
    DirectoryFixture fixture;
    fixture.add("alice");
    int found = 0;
    for (int i = 0; i < 10; ++i) {
        const auto address = i % 2 == 0 ? "alice@contoso.com" : "bob@contoso.com";
        asio::co_spawn(
            fixture.test.context,
            fixture.directory_of_lane->find_recipient(EmailAddress::parse(address).value()),
            [&found](const std::exception_ptr&, const Result<MailRecipientPtr>& answer) {
                found += answer && *answer != nullptr;
            });
    }

    fixture.test.poll();

    CHECK(found == 5);
    CHECK(fixture.directory_of_lane->batches() == 2);
}

TEST_CASE("an answer from before a change is given but not kept", "[storage][directory]") {
    DirectoryFixture fixture;
    // The lane has a loop of its own, so that the change falls between the look-up and the answer.
    asio::io_context lane;
    const auto directory = fixture.database->make_directory(lane.get_executor());
    const auto alice = EmailAddress::parse("alice@contoso.com").value();
    std::optional<bool> known;
    const auto keep = [&known](const std::exception_ptr&, const Result<MailRecipientPtr>& answer) {
        known = answer && *answer != nullptr;
    };
    asio::co_spawn(lane, directory->find_recipient(alice), keep);
    lane.poll();
    fixture.test.poll();
    fixture.add("alice");
    lane.restart();
    lane.poll();
    REQUIRE(known == false);

    asio::co_spawn(lane, directory->find_recipient(alice), keep);
    lane.restart();
    lane.poll();
    fixture.test.poll();
    lane.restart();
    lane.poll();

    CHECK(known == true);
}

}  // namespace mailflow
