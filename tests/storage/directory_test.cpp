#include "storage/organization_schema.hpp"
#include "tests/conformance/directory_conformance.hpp"
#include "tests/storage/organization_fixture.hpp"
#include "tests/support/memory_directory.hpp"

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

    std::string login(const std::string& text) {
        const auto found = test.run(directory_of_lane->find_login(text));
        if (!found) return found.error().message();
        return *found == nullptr ? "nobody" : (*found)->name;
    }

    void add(
        const std::string& name,
        const std::vector<std::string>& addresses,
        const std::string& upn = {}) {
        auto mailbox = mailbox_of(name, name, addresses);
        mailbox.upn = upn;
        REQUIRE(test.run(database->recipients().create(mailbox, {"me", "add"})));
    }

    void add(const std::string& name) {
        REQUIRE(test.run(database->recipients().create(
            mailbox_of(name, name, {name + "@contoso.com"}), {"me", "add"})));
    }
};

}  // namespace

TEST_CASE("what is asked of a closed database is unavailable", "[storage][directory]") {
    DirectoryFixture fixture;
    fixture.add("alice", {"alice@contoso.com"});
    fixture.test.run(fixture.database->close());

    auto& directory = *fixture.directory_of_lane;
    CHECK(fixture.find("alice@contoso.com") == make_error_code(Error::unavailable).message());
    CHECK(fixture.test.run(directory.members("staff", "", 10)).error() == Error::unavailable);
    CHECK(fixture.test.run(directory.is_member("staff", "alice")).error() == Error::unavailable);
}

TEST_CASE("the directory over SQLite keeps the port's promises", "[storage][conformance]") {
    DirectoryFixture fixture;
    auto& recipients = fixture.database->recipients();
    const auto add = [&](const MailRecipient& recipient) {
        REQUIRE(fixture.test.run(recipients.create(recipient, {"me", "add"})));
    };
    const auto set_members = [&](const std::string& group, const std::vector<std::string>& names) {
        REQUIRE(fixture.test.run(recipients.edit_members(group, names, {}, {"me", "edit"})));
    };

    check_directory(fixture.test, *fixture.directory_of_lane, add, set_members);
}

TEST_CASE("the directory in memory keeps the port's promises", "[support][conformance]") {
    TestLane test;
    MemoryDirectory directory;
    const auto add = [&](const MailRecipient& recipient) {
        directory.add(recipient);
    };
    const auto set_members = [&](const std::string& group, const std::vector<std::string>& names) {
        directory.set_members(group, names);
    };

    check_directory(test, directory, add, set_members);
}

TEST_CASE(
    "the directory remembers names, also of nobody, until recipients change",
    "[storage][directory]") {
    DirectoryFixture fixture;
    fixture.add("alice");
    const auto name = [&](const std::string& text) {
        const auto found = fixture.test.run(fixture.directory_of_lane->find_by_name(text)).value();
        return found == nullptr ? "nobody" : found->name;
    };
    CHECK(name("alice") == "alice");
    CHECK(name("bob") == "nobody");
    const auto looked_up = fixture.directory_of_lane->batches();

    CHECK(name("ALICE") == "alice");
    CHECK(name("Bob") == "nobody");
    CHECK(fixture.directory_of_lane->batches() == looked_up);
    CHECK(fixture.directory_of_lane->cached_names() == 2);
    fixture.add("bob");

    CHECK(name("bob") == "bob");
    CHECK(fixture.directory_of_lane->cached_names() == 1);
}

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

TEST_CASE(
    "a login is a UPN, an address, an alias or DOMAIN\\alias, without case",
    "[storage][directory]") {
    DirectoryFixture fixture;
    fixture.add("alice", {"a.smith@contoso.com", "sales@fabrikam.com"}, "alice@corp.contoso.com");

    const auto login = GENERATE(
        "ALICE@corp.contoso.com",
        "A.Smith@contoso.com",
        "sales@FABRIKAM.com",
        "Alice",
        "CONTOSO\\alice",
        "fabrikam\\ALICE",
        "Contoso\\a.smith");
    CAPTURE(login);

    CHECK(fixture.login(login) == "alice");
}

TEST_CASE("what is not quite a login is nobody's", "[storage][directory]") {
    DirectoryFixture fixture;
    fixture.add("alice", {"alice@contoso.com"});

    const auto login = GENERATE(
        std::string(),
        std::string("alic"),
        std::string("alice@contoso"),
        std::string("alice@contoso.com "),
        std::string("con\\alice"),
        std::string("contoso.com\\alice"),
        std::string("contoso%\\alice"),
        std::string("contoso\\"),
        std::string("\\alice"),
        std::string("\\"),
        std::string("alice%"),
        std::string("alice\0", 6),
        std::string(400, 'a'));
    CAPTURE(login);

    CHECK(fixture.login(login) == "nobody");
}

TEST_CASE("a login that fits two mailboxes is nobody's", "[storage][directory]") {
    DirectoryFixture fixture;
    fixture.add("alice", {"alice@contoso.com"}, "chief@contoso.com");
    fixture.add("other", {"alice@contoso.net", "chief@contoso.com"}, "other@contoso.com");

    CHECK(fixture.login("CONTOSO\\alice") == "nobody");
    CHECK(fixture.login("chief@contoso.com") == "nobody");
    CHECK(fixture.login("alice") == "alice");
    CHECK(fixture.login("CONTOSO\\other") == "other");
}

TEST_CASE(
    "a login is remembered until recipients change, and nobody's never", "[storage][directory]") {
    DirectoryFixture fixture;
    fixture.add("alice");
    CHECK(fixture.login("alice") == "alice");
    CHECK(fixture.login("bob") == "nobody");
    CHECK(fixture.directory_of_lane->cached_logins() == 1);
    const auto looked_up = fixture.directory_of_lane->batches();

    CHECK(fixture.login("ALICE") == "alice");
    CHECK(fixture.directory_of_lane->batches() == looked_up);
    CHECK(fixture.login("bob") == "nobody");
    CHECK(fixture.directory_of_lane->batches() == looked_up + 1);
    REQUIRE(fixture.test.run(fixture.database->recipients().remove("alice", {"me", "remove"})));

    CHECK(fixture.login("alice") == "nobody");
}

TEST_CASE("the secret behind unknown logins outlives a restart", "[storage]") {
    OrganizationFixture fixture;
    const auto secret = fixture.database->login_secret();
    OrganizationFixture other;

    fixture.reopen();

    CHECK(secret.size() == 32);
    CHECK(fixture.database->login_secret() == secret);
    CHECK(other.database->login_secret() != secret);
}

TEST_CASE("mailboxes of before the second schema log in by their primary address", "[storage]") {
    TempDirectory directory;
    {
        SqliteConnection old(
            {.path = directory / "organization.db", .vfs = {}}, SqliteRole::writer);
        REQUIRE_FALSE(migrate(old, "organization.db", std::span(kOrganizationSchema).first(1)));
        old.execute(
            "INSERT INTO version VALUES(1, 0, 'me', 'add');"
            "INSERT INTO recipient VALUES(1, 'Alice', 'alice', '', '', 'Alice');"
            "INSERT INTO address VALUES('al@contoso.com', 1, 1, 'contoso.com', 'al@contoso.com');"
            "INSERT INTO address VALUES('alice@contoso.com', 1, 0, 'contoso.com', "
            "'Alice@contoso.com')");
    }

    TestLane test;
    FoldedRunner runner{test.context};
    const auto database =
        OrganizationDatabase::open(
            {directory / "organization.db", {}, nullptr}, {runner, runner, test.clock})
            .value();
    const auto alice = test.run(database->recipients().find("alice")).value();

    REQUIRE(alice);
    CHECK(alice->upn == "Alice@contoso.com");
    CHECK_FALSE(alice->verifier);
    CHECK(alice->send_as.empty());
    CHECK(test.run(database->recipients().find_by_upn("ALICE@contoso.com")).value());
}

}  // namespace mailflow
