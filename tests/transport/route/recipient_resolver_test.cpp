#include "transport/route/recipient_resolver.hpp"

#include "tests/transport/route/organization_maker.hpp"
#include "tests/transport/route/table_directory.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

namespace {

ForwardPath path(const char* text) {
    return ForwardPath::parse(text).value();
}

using Texts = std::vector<std::string>;

// What is asked for, in order, when nobody is found.
Texts lookups(const char* text, const Organization& organization = make_organization()) {
    Texts result;
    DirectoryFacts facts;
    while (!resolve_recipient(path(text), organization, nullptr, {}, facts)) {
        const auto& lookup = facts.wanted().value();
        result.push_back(lookup.address ? lookup.address->text() : lookup.name);
        facts.answer(RecipientPtr());
    }
    return result;
}

ResolvedRecipient resolve(
    const char* text,
    TableDirectory& directory,
    const Organization& organization = make_organization()) {
    DirectoryFacts facts;
    for (;;) {
        auto resolved = resolve_recipient(path(text), organization, nullptr, {}, facts);
        if (resolved) {
            return *resolved;
        }
        directory.answer(facts);
    }
}

Organization with_contoso(std::string catch_all, std::string delimiter) {
    Organization::Parts parts;
    parts.accepted_domains = {make_accepted_domain("contoso.com")};
    auto& domain = parts.accepted_domains.front();
    domain.is_default = true;
    domain.catch_all = std::move(catch_all);
    domain.recipient_delimiter = std::move(delimiter);
    return Organization(std::move(parts));
}

}  // namespace

TEST_CASE("The directory is asked for recipients of our own domains only", "[route][resolver]") {
    CHECK(lookups("<alice@contoso.com>") == Texts{"alice@contoso.com"});
    CHECK(lookups("<alice@subsidiary.com>") == Texts{"alice@subsidiary.com"});
    CHECK(lookups("<alice@hosted.com>").empty());
    CHECK(lookups("<alice@example.org>").empty());
    CHECK(lookups("<alice@www.contoso.com>").empty());
    CHECK(lookups("<alice@[192.0.2.1]>").empty());
}

TEST_CASE(
    "postmaster and abuse of every accepted domain fall back to the default postmaster",
    "[route][resolver]") {
    CHECK(lookups("<postmaster>") == Texts{"postmaster@contoso.com"});
    CHECK(lookups("<Postmaster@contoso.com>") == Texts{"Postmaster@contoso.com"});
    CHECK(lookups("<abuse@contoso.com>") == Texts{"abuse@contoso.com", "postmaster@contoso.com"});
    CHECK(
        lookups("<POSTMASTER@subsidiary.com>") ==
        Texts{"POSTMASTER@subsidiary.com", "postmaster@contoso.com"});
    CHECK(lookups("<abuse@hosted.com>") == Texts{"abuse@hosted.com", "postmaster@contoso.com"});
    CHECK(lookups("<postmaster@example.org>").empty());
}

TEST_CASE(
    "The exact address comes before the one without a subaddress, the catch-all comes last",
    "[route][resolver]") {
    const auto organization = with_contoso("Lost and Found", "+");

    CHECK(
        lookups("<bob+lists+x@contoso.com>", organization) ==
        Texts{"bob+lists+x@contoso.com", "bob@contoso.com", "Lost and Found"});
    CHECK(
        lookups("<+lists@contoso.com>", organization) ==
        Texts{"+lists@contoso.com", "Lost and Found"});
    CHECK(
        lookups("<abuse@contoso.com>", organization) ==
        Texts{"abuse@contoso.com", "postmaster@contoso.com", "Lost and Found"});
}

TEST_CASE("A subaddress reaches the mailbox that has none of its own", "[route][resolver]") {
    const auto organization = with_contoso("Lost and Found", "+");
    TableDirectory directory;
    directory.mailbox("Bob", {"bob@contoso.com"});
    directory.mailbox("News", {"bob+news@contoso.com"});
    directory.mailbox("Lost and Found", {"lost@contoso.com"});

    const auto base = resolve("<Bob+lists@contoso.com>", directory, organization);
    const auto exact = resolve("<bob+news@contoso.com>", directory, organization);
    const auto nobody = resolve("<eve@contoso.com>", directory, organization);

    CHECK(base.mailbox == "Bob");
    CHECK(base.by == ResolvedBy::subaddress);
    CHECK(exact.mailbox == "News");
    CHECK(exact.by == ResolvedBy::address);
    CHECK(nobody.mailbox == "Lost and Found");
    CHECK(nobody.by == ResolvedBy::catch_all);
}

TEST_CASE("What becomes of a recipient follows the type of its domain", "[route][resolver]") {
    const std::pair<const char*, ResolvedKind> table[] = {
        {"<nobody@contoso.com>", ResolvedKind::unknown},
        {"<nobody@subsidiary.com>", ResolvedKind::relay},
        {"<nobody@hosted.com>", ResolvedKind::relay},
        {"<nobody@example.org>", ResolvedKind::external},
        {"<nobody@[192.0.2.1]>", ResolvedKind::external},
        {"<postmaster>", ResolvedKind::unknown},
    };
    TableDirectory directory;

    for (const auto& [text, kind] : table) {
        INFO(text);
        const auto resolved = resolve(text, directory);
        CHECK(resolved.kind == kind);
        CHECK(resolved.mailbox.empty());
    }
    CHECK(resolve("<a.b@Example.org>", directory).address.text() == "a.b@example.org");
    CHECK(resolve("<postmaster>", directory).address.text() == "postmaster@contoso.com");
}

TEST_CASE(
    "Facts 11 and 15: a known recipient is delivered here, at its primary address",
    "[route][resolver]") {
    TableDirectory directory;
    directory.mailbox("Alice Liddell", {"alice@contoso.com", "al@subsidiary.com"});

    const auto resolved = resolve("<AL@subsidiary.com>", directory);

    CHECK(resolved.kind == ResolvedKind::mailbox);
    CHECK(resolved.mailbox == "Alice Liddell");
    CHECK(resolved.address.text() == "alice@contoso.com");
}

TEST_CASE("Contacts and groups are recipients of ours too", "[route][resolver]") {
    TableDirectory directory;
    directory.contact("Carol", {"carol@contoso.com"}, "carol@example.org");
    directory.group("Sales", {"sales@contoso.com"}, {"Carol"});

    CHECK(resolve("<carol@contoso.com>", directory).kind == ResolvedKind::contact);
    CHECK(resolve("<sales@contoso.com>", directory).kind == ResolvedKind::group);
}

}  // namespace mailflow
