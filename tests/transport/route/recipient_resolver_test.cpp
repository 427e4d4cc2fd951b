#include "transport/route/recipient_resolver.hpp"

#include "tests/transport/route/organization_maker.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

namespace {

ForwardPath path(const char* text) {
    return ForwardPath::parse(text).value();
}

std::vector<std::string> lookups(const char* text) {
    std::vector<std::string> result;
    for (const auto& address : lookup_addresses(path(text), make_organization())) {
        result.push_back(address.text());
    }
    return result;
}

using Texts = std::vector<std::string>;

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

TEST_CASE("What becomes of a recipient follows the type of its domain", "[route][resolver]") {
    const auto organization = make_organization();
    const std::pair<const char*, ResolvedKind> table[] = {
        {"<nobody@contoso.com>", ResolvedKind::unknown},
        {"<nobody@subsidiary.com>", ResolvedKind::relay},
        {"<nobody@hosted.com>", ResolvedKind::relay},
        {"<nobody@example.org>", ResolvedKind::external},
        {"<nobody@[192.0.2.1]>", ResolvedKind::external},
        {"<postmaster>", ResolvedKind::unknown},
    };

    for (const auto& [text, kind] : table) {
        INFO(text);
        const auto resolved = resolve_recipient(path(text), organization, nullptr);
        CHECK(resolved.kind == kind);
        CHECK(resolved.mailbox.empty());
    }
    CHECK(
        resolve_recipient(path("<a.b@Example.org>"), organization, nullptr).address.text() ==
        "a.b@example.org");
    CHECK(
        resolve_recipient(path("<postmaster>"), organization, nullptr).address.text() ==
        "postmaster@contoso.com");
}

TEST_CASE(
    "Facts 11 and 15: a known recipient is delivered here, at its primary address",
    "[route][resolver]") {
    MailRecipient alice;
    alice.name = "Alice Liddell";
    alice.addresses = {
        EmailAddress::parse("alice@contoso.com").value(),
        EmailAddress::parse("al@subsidiary.com").value()};

    const auto resolved =
        resolve_recipient(path("<AL@subsidiary.com>"), make_organization(), &alice);

    CHECK(resolved.kind == ResolvedKind::mailbox);
    CHECK(resolved.mailbox == "Alice Liddell");
    CHECK(resolved.address.text() == "alice@contoso.com");
}

}  // namespace mailflow
