#include "config/organization_service.hpp"
#include "tests/config/service_fixture.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <optional>
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

    json::object shown(const std::string& name) {
        auto found = test.run(service.show_recipient(name)).value();
        REQUIRE(found);
        return *found;
    }

    std::optional<std::string> password(const std::string& name) {
        const auto verifier = stored(name).verifier;
        return verifier ? std::optional(verifier->salt) : std::nullopt;
    }
};

bool says(const ChangeOutcome& outcome, const std::string& words) {
    return !outcome.ok() && said(outcome).find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a mailbox logs in by its primary address unless told", "[config][mailbox]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "alice", {{"addresses", {"a.smith@contoso.com"}}}).ok());
    REQUIRE(fixture.create("mailbox", "bob", {{"upn", "Robert@Corp.Example"}}).ok());

    CHECK(fixture.stored("alice").upn == "a.smith@contoso.com");
    CHECK(fixture.shown("bob").at("upn") == "Robert@corp.example");
    CHECK(fixture.set("mailbox", "alice", {{"add_addresses", {"SMTP:as@contoso.com"}}}).ok());
    CHECK(fixture.stored("alice").upn == "a.smith@contoso.com");
    CHECK(fixture.set("mailbox", "alice", {{"upn", ""}}).ok());
    CHECK(fixture.stored("alice").upn == "as@contoso.com");
}

TEST_CASE("a login is one mailbox's alone", "[config][mailbox]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "alice", {{"upn", "chief@contoso.com"}}).ok());

    CHECK(says(
        fixture.create("mailbox", "bob", {{"upn", "CHIEF@contoso.com"}}),
        "upn: CHIEF@contoso.com logs in to mailbox \"alice\"; give another login name, with "
        "--upn"));
    CHECK(says(
        fixture.create("mailbox", "bob", {{"upn", "alice@contoso.com"}}),
        "upn: alice@contoso.com logs in to mailbox \"alice\""));
    CHECK(says(
        fixture.create("mailbox", "bob", {{"addresses", {"bob@contoso.com", "chief@contoso.com"}}}),
        "addresses: chief@contoso.com is the login name of mailbox \"alice\""));
    CHECK(says(
        fixture.create("mailbox", "bob", {{"upn", "bob"}}),
        "upn: \"bob\" is not allowed: write a login name such as alice@contoso.com"));
    CHECK(fixture.set("mailbox", "alice", {{"add_addresses", {"chief@contoso.com"}}}).ok());
}

TEST_CASE(
    "a password is kept as a verifier, and of it only that there is one is shown",
    "[config][mailbox]") {
    Fixture fixture;

    const auto made = fixture.create("mailbox", "alice", {{"password", " pen cil "}});
    REQUIRE(made.ok());
    REQUIRE(fixture.create("mailbox", "bob", {}).ok());

    CHECK(fixture.password("alice") == " pen cil ");
    CHECK(made.after.at("password_set") == true);
    CHECK(fixture.shown("alice").at("password_set") == true);
    CHECK(fixture.shown("bob").at("password_set") == false);
    for (const auto& text :
         {json::serialize(made.after),
          json::serialize(fixture.shown("alice")),
          fixture.test.run(fixture.service.export_toml()).value()}) {
        CHECK(text.find("pen cil") == std::string::npos);
        CHECK(text.find("\"password\"") == std::string::npos);
    }
}

TEST_CASE("a password stays, changes and goes", "[config][mailbox]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "alice", {{"password", "pencil"}}).ok());

    REQUIRE(fixture.set("mailbox", "alice", {{"name", "Alice"}, {"first_name", "Alice"}}).ok());
    CHECK(fixture.password("Alice") == "pencil");
    const auto changed = fixture.set("mailbox", "Alice", {{"password", "none"}});
    CHECK(changed.ok());
    CHECK(fixture.password("Alice") == "none");
    const auto removed = fixture.set("mailbox", "Alice", {{"password", nullptr}});

    CHECK(removed.ok());
    CHECK(removed.before.at("password_set") == true);
    CHECK(removed.after.at("password_set") == false);
    CHECK_FALSE(fixture.password("Alice"));
}

TEST_CASE("what is no password is refused without repeating it", "[config][mailbox]") {
    struct Case {
        json::value password;
        std::string words;
    };

    const std::vector<Case> cases = {
        {json::value(""), "password: is empty"},
        {json::value(std::string(257, 'x')), "password: is too long: at most 256 octets"},
        {json::value("xxx\tyyy"), "password: holds a control character"},
        {json::value("xxx\n"), "password: holds a control character"},
        {json::value(42), "password: is no text"},
        {json::value(json::array{"xxx"}), "password: is no text"},
        {json::value("prohibited"),
         "password: holds characters that no password may have (RFC 4013)"},
    };
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "alice", {{"password", "pencil"}}).ok());
    for (const auto& bad : cases) {
        CAPTURE(bad.words);
        const auto created = fixture.create("mailbox", "bob", {{"password", bad.password}});
        const auto set = fixture.set("mailbox", "alice", {{"password", bad.password}});

        CHECK(says(created, "mailbox \"bob\", " + bad.words));
        CHECK(says(set, "mailbox \"alice\", " + bad.words));
        CHECK(said(set).find("xxx") == std::string::npos);
    }
    CHECK(fixture.password("alice") == "pencil");
}

TEST_CASE("no password work is done for an edit that is refused anyway", "[config][mailbox]") {
    Fixture fixture;

    CHECK_FALSE(fixture.create("mailbox", "postmaster", {{"password", "pencil"}}).ok());

    CHECK(fixture.hashed == 0);
}

TEST_CASE("send-as names mailboxes there are, and follows them", "[config][mailbox]") {
    Fixture fixture;
    REQUIRE(fixture.create("mailbox", "alice", {{"alias", "al"}}).ok());
    REQUIRE(fixture.create("mailbox", "bob", {}).ok());
    REQUIRE(fixture.create("mailbox", "sales", {{"send_as", {"ALICE", "al"}}}).ok());
    const auto senders = [&fixture] {
        return fixture.stored("sales").send_as;
    };
    CHECK(senders() == std::vector<std::string>{"alice"});

    CHECK(fixture.set("mailbox", "sales", {{"add_send_as", {"bob"}}}).ok());
    CHECK(fixture.shown("sales").at("send_as") == json::array{"alice", "bob"});
    CHECK(fixture.set("mailbox", "alice", {{"name", "Alice Smith"}}).ok());
    CHECK(senders() == std::vector<std::string>{"Alice Smith", "bob"});
    CHECK(fixture.set("mailbox", "sales", {{"display_name", "Sales"}}).ok());
    CHECK(senders() == std::vector<std::string>{"Alice Smith", "bob"});
    CHECK(fixture.remove("mailbox", "bob").ok());
    CHECK(senders() == std::vector<std::string>{"Alice Smith"});
    CHECK(fixture.set("mailbox", "sales", {{"remove_send_as", {"alice smith"}}}).ok());
    CHECK(senders().empty());

    CHECK(says(
        fixture.set("mailbox", "sales", {{"send_as", {"bob"}}}),
        "send_as: there is no mailbox \"bob\""));
    CHECK(says(
        fixture.set("mailbox", "sales", {{"send_as", {"sales"}}}),
        "send_as: a mailbox may send as itself: leave it out"));
}

TEST_CASE("limits of failed logins reach the flow", "[config][service]") {
    Fixture fixture;
    const TransportSettings standard;
    const auto settings = [&fixture] {
        return fixture.published.back()->transport();
    };
    CHECK(settings().auth_failure_limit_per_source == standard.auth_failure_limit_per_source);
    CHECK(settings().auth_failure_limit_per_account == standard.auth_failure_limit_per_account);
    REQUIRE(settings().auth_failure_exempt_ranges.size() == 2);
    CHECK(
        any_contains(settings().auth_failure_exempt_ranges, IpAddress::parse("127.3.2.1").value()));
    CHECK(any_contains(settings().auth_failure_exempt_ranges, IpAddress::parse("::1").value()));

    REQUIRE(fixture
                .set(
                    "transport-config",
                    "default",
                    {{"auth_failure_limit_per_source", 7},
                     {"auth_failure_limit_per_account", "unlimited"},
                     {"add_auth_failure_exempt_ranges", {"192.0.2.0/24"}},
                     {"remove_auth_failure_exempt_ranges", {"::1"}}})
                .ok());

    CHECK(settings().auth_failure_limit_per_source == 7U);
    CHECK_FALSE(settings().auth_failure_limit_per_account);
    REQUIRE(settings().auth_failure_exempt_ranges.size() == 2);
    CHECK(settings().auth_failure_exempt_ranges[1].text() == "192.0.2.0/24");
    CHECK_FALSE(
        fixture.set("transport-config", "default", {{"auth_failure_limit_per_source", 0}}).ok());
    CHECK(fixture.set("transport-config", "default", {{"auth_failure_exempt_ranges", ""}}).ok());
    CHECK(settings().auth_failure_exempt_ranges.empty());
}

}  // namespace mailflow
