#include "storage/organization_schema.hpp"
#include "tests/conformance/recipient_kinds_conformance.hpp"
#include "tests/storage/organization_fixture.hpp"
#include "tests/support/memory_recipient_store.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

std::string numbered(const char* text, int number) {
    auto digits = std::to_string(number);
    digits.insert(0, 6 - digits.size(), '0');
    return text + digits;
}

}  // namespace

TEST_CASE("recipients in SQLite keep the port's promises", "[storage][conformance]") {
    OrganizationFixture fixture;
    check_recipient_store(fixture.test, fixture.database->recipients());
}

TEST_CASE("recipients in memory keep the port's promises", "[support][conformance]") {
    TestLane test;
    MemoryRecipientStore store;
    check_recipient_store(test, store);
}

TEST_CASE("fields of recipients in SQLite keep the port's promises", "[storage][conformance]") {
    OrganizationFixture fixture;
    check_recipient_fields(fixture.test, fixture.database->recipients());
}

TEST_CASE("fields of recipients in memory keep the port's promises", "[support][conformance]") {
    TestLane test;
    MemoryRecipientStore store;
    check_recipient_fields(test, store);
}

TEST_CASE("references in SQLite keep the port's promises", "[storage][conformance]") {
    OrganizationFixture fixture;
    check_recipient_references(fixture.test, fixture.database->recipients());
}

TEST_CASE("references in memory keep the port's promises", "[support][conformance]") {
    TestLane test;
    MemoryRecipientStore store;
    check_recipient_references(test, store);
}

TEST_CASE("batches of recipients in SQLite keep the port's promises", "[storage][conformance]") {
    OrganizationFixture fixture;
    check_recipient_batches(fixture.test, fixture.database->recipients());
}

TEST_CASE("batches of recipients in memory keep the port's promises", "[support][conformance]") {
    TestLane test;
    MemoryRecipientStore store;
    check_recipient_batches(test, store);
}

TEST_CASE("a batch is one version, and one that writes nothing is none", "[storage]") {
    OrganizationFixture fixture;
    RecipientStoreCheck check{fixture.test, fixture.database->recipients()};
    const auto version = [&fixture] {
        return fixture.test.run(fixture.database->objects().read_all()).value().version;
    };
    const auto before = version();

    REQUIRE(check.write({user_of("a"), user_of("b")}).back());
    CHECK(version() == before + 1);
    CHECK_FALSE(check.write({mailbox_of("c", "a", {"c@contoso.com"})}).back());

    CHECK(version() == before + 1);
}

TEST_CASE("a disk that fills in the middle of a batch leaves nothing of it", "[storage]") {
    OrganizationFixture fixture;
    RecipientStoreCheck check{fixture.test, fixture.database->recipients()};
    check.add(user_of("bob"));
    std::vector<MailRecipient> many;
    for (int i = 0; i < 1000; ++i)
        many.push_back(user_of(numbered("user", i)));
    fixture.faults.fail(DiskOperation::write, 20, DiskFault::disk_full);

    const auto failed =
        fixture.test.run(fixture.database->recipients().write_batch(many, check.author));

    CHECK(failed.error() == Error::disk_full);
    CHECK(check.count(RecipientKind::mailbox) == 1);
    CHECK_FALSE(check.knows("user000000"));
    CHECK(check.write(many).back());
}

TEST_CASE("a store of the third schema keeps everything", "[storage]") {
    TempDirectory directory;
    {
        SqliteConnection old(
            {.path = directory / "organization.db", .vfs = {}}, SqliteRole::writer);
        REQUIRE_FALSE(migrate(old, "organization.db", std::span(kOrganizationSchema).first(3)));
        old.execute(
            "INSERT INTO version VALUES(7, 0, 'me', 'add');"
            "INSERT INTO object VALUES('accepted-domain', 'contoso.com', '{}');"
            "INSERT INTO recipient VALUES(3, 'Alice', 'al', 'A', 'Smith', 'Alice S', "
            "'Al@contoso.com', "
            "'al@contoso.com', 4096, x'0102', zeroblob(32), zeroblob(32));"
            "INSERT INTO recipient VALUES(7, 'Bob', 'bob', '', '', 'Bob', 'bob@contoso.com', "
            "'bob@contoso.com', 0, NULL, NULL, NULL);"
            "INSERT INTO address VALUES('alice@contoso.com', 3, 0, 'contoso.com', "
            "'Alice@contoso.com');"
            "INSERT INTO address VALUES('a@fabrikam.com', 3, 1, 'fabrikam.com', 'a@fabrikam.com');"
            "INSERT INTO address VALUES('bob@contoso.com', 7, 0, 'contoso.com', 'bob@contoso.com');"
            "INSERT INTO send_as VALUES(3, 0, 7)");
    }

    TestLane test;
    FoldedRunner runner{test.context};
    const auto database =
        OrganizationDatabase::open(
            {directory / "organization.db", {}, nullptr}, {runner, runner, test.clock})
            .value();
    RecipientStoreCheck check{test, database->recipients()};

    const auto alice = check.get("alice");
    CHECK(summary_of(alice) == "Alice|al|A|Smith|Alice S|Alice@contoso.com|a@fabrikam.com");
    CHECK(alice.kind == RecipientKind::mailbox);
    CHECK(alice.upn == "Al@contoso.com");
    CHECK(alice.verifier == ScramVerifier{4096, "\x01\x02", {}, {}});
    CHECK(alice.send_as == std::vector<std::string>{"Bob"});
    CHECK(alice.address_policy_enabled);
    CHECK(alice.group.report_to_originator);
    CHECK(check.referrers("bob") == "Alice send_as");
    CHECK(check.count(RecipientKind::mailbox) == 2);
    CHECK(check.count(RecipientKind::group) == 0);
    CHECK(test.run(database->objects().read_all()).value().objects.size() == 1);
    check.add(contact_of("eve", "eve@elsewhere.invalid"));
    check.add(group_of("staff"));
    CHECK(check.edit("staff", {"alice", "eve"}, {}));
    auto again = user_of("other");
    again.upn = "AL@contoso.com";
    CHECK(
        test.run(database->recipients().create(again, check.author)).error() ==
        Error::already_exists);
}

TEST_CASE("a store of the fourth schema lists the kinds as before", "[storage]") {
    TempDirectory directory;
    {
        SqliteConnection old(
            {.path = directory / "organization.db", .vfs = {}}, SqliteRole::writer);
        REQUIRE_FALSE(migrate(old, "organization.db", std::span(kOrganizationSchema).first(4)));
        old.execute(
            "INSERT INTO recipient(id, name, alias, first_name, last_name, display_name, upn, "
            "upn_key, kind) VALUES(1, 'bob', 'bob', '', '', '', 'bob@contoso.com', "
            "'bob@contoso.com', 0), (2, 'Staff', 'staff', '', '', '', '', '', 2), "
            "(3, 'all', 'all', '', '', '', '', '', 2);"
            "INSERT INTO address VALUES('bob@contoso.com', 1, 0, 'contoso.com', 'bob@contoso.com');"
            "INSERT INTO address VALUES('staff@contoso.com', 2, 0, 'contoso.com', "
            "'staff@contoso.com');"
            "INSERT INTO address VALUES('all@contoso.com', 3, 0, 'contoso.com', "
            "'all@contoso.com')");
    }

    TestLane test;
    FoldedRunner runner{test.context};
    const auto database =
        OrganizationDatabase::open(
            {directory / "organization.db", {}, nullptr}, {runner, runner, test.clock})
            .value();
    const auto names = [&](RecipientKind kind, const std::string& after) {
        std::string text;
        const auto page = test.run(database->recipients().page_of(kind, after, 10)).value();
        for (const auto& recipient : page)
            text += recipient.name + " ";
        return text;
    };

    CHECK(names(RecipientKind::group, "") == "all Staff ");
    CHECK(names(RecipientKind::group, "ALL") == "Staff ");
    CHECK(names(RecipientKind::mailbox, "") == "bob ");
    CHECK(names(RecipientKind::contact, "").empty());
    SqliteConnection reader({.path = directory / "organization.db", .vfs = {}}, SqliteRole::reader);
    CHECK(reader.number("PRAGMA user_version") == 5);
    CHECK(
        reader.text("SELECT sql FROM sqlite_schema WHERE name = 'recipient_kind'") ==
        "CREATE INDEX recipient_kind ON recipient(kind, name) WHERE kind <> 0");
}

TEST_CASE("a hundred thousand recipients are written, changed and listed", "[storage]") {
    OrganizationFixture fixture;
    RecipientStoreCheck check{fixture.test, fixture.database->recipients()};
    constexpr int kCount = 100'000;
    const auto batch = [](int first) {
        std::vector<MailRecipient> recipients;
        for (int i = first; i < first + 1000; ++i) {
            recipients.push_back(user_of(numbered("user", i)));
            if (i % 100 == 99) recipients.back().kind = RecipientKind::group;
        }
        return recipients;
    };

    for (int first = 0; first < kCount; first += 1000) {
        for (const auto& result : check.write(batch(first))) {
            if (!result) FAIL(result.error().message());
        }
    }
    std::vector<std::string> half;
    for (int i = kCount - 1; i >= 0; i -= 2)
        half.push_back(numbered("user", i));
    REQUIRE(check.edit("user000099", half, {}));

    CHECK(check.count(RecipientKind::group) == kCount / 100);
    CHECK(
        names_of(
            fixture.test
                .run(fixture.database->recipients().page_of(RecipientKind::group, "user049999", 2))
                .value()) == std::vector<std::string>{"user050099", "user050199"});
    CHECK(
        check.members("user000099", "user099995", 10) ==
        std::vector<std::string>{"user099997", "user099999"});
    CHECK(
        check.taken({"USER077777@contoso.com"}, "") ==
        std::vector<std::string>{"USER077777@contoso.com user077777"});
    REQUIRE(check.edit("user000099", {}, half));
    CHECK(check.members("user000099").empty());
}

TEST_CASE("who reads while others write sees recipients whole", "[storage][directory]") {
    TempDirectory directory;
    asio::io_context context{1};
    SystemClock clock;
    ThreadRunner keeper{"store-keeper"};
    ThreadRunner reader{"store-reader"};
    const auto database = OrganizationDatabase::open(
                              {directory / "organization.db", {}, nullptr}, {keeper, reader, clock})
                              .value();
    const auto lane = database->make_directory(context.get_executor());
    const auto alice = [](int number) {
        const auto text = std::to_string(number);
        auto mailbox =
            mailbox_of("alice", "alice", {"alice@contoso.com", "a" + text + "@contoso.com"});
        mailbox.first_name = text;
        mailbox.attributes = {{"company", text}};
        return mailbox;
    };
    const auto address = EmailAddress::parse("alice@contoso.com").value();
    run_task(context, database->recipients().create(alice(0), {"me", {}})).value();

    int torn = 0;
    int missed = 0;
    for (int number = 1; number <= 300; ++number) {
        bool written = false;
        asio::co_spawn(
            context,
            database->recipients().replace("alice", alice(number), {"me", {}}),
            [&written](const std::exception_ptr&, const Result<>& done) { written = !!done; });
        while (!written) {
            const auto found = run_task(context, lane->find_recipient(address)).value();
            if (found == nullptr) {
                ++missed;
                continue;
            }
            const auto& version = found->first_name;
            torn += found->attributes.at("company") != version ||
                    found->addresses.back().local() != "a" + version;
        }
        const auto found = run_task(context, lane->find_recipient(address)).value();
        missed += found == nullptr || found->first_name != std::to_string(number);
    }

    CHECK(torn == 0);
    CHECK(missed == 0);
    run_task(context, database->close());
}

}  // namespace mailflow
