// What every RecipientStore promises. Called from a TEST_CASE with a fresh, empty store; each
// section is one promise.
#pragma once

#include "tests/support/run_task.hpp"
#include "transport/base/error.hpp"
#include "transport/ports/recipient_store.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

inline MailRecipient mailbox_of(
    const std::string& name, const std::string& alias, const std::vector<std::string>& addresses) {
    MailRecipient mailbox;
    mailbox.name = name;
    mailbox.alias = alias;
    mailbox.first_name = "First";
    mailbox.last_name = "Last";
    mailbox.display_name = name;
    for (const auto& text : addresses)
        mailbox.addresses.push_back(EmailAddress::parse(text).value());
    return mailbox;
}

inline std::string summary_of(const MailRecipient& mailbox) {
    auto text = mailbox.name + "|" + mailbox.alias + "|" + mailbox.first_name + "|" +
                mailbox.last_name + "|" + mailbox.display_name;
    for (const auto& address : mailbox.addresses)
        text += "|" + address.text();
    return text;
}

inline std::string summary_of(const Result<std::optional<MailRecipient>>& found) {
    if (!found) return found.error().message();
    return *found ? summary_of(**found) : "nobody";
}

inline void check_recipient_store(TestLane& test, RecipientStore& store) {
    const ChangeAuthor author{"uid=0(root)", "test"};
    const auto create = [&](const MailRecipient& mailbox) {
        return test.run(store.create(mailbox, author));
    };
    const auto find = [&](const std::string& name) {
        return summary_of(test.run(store.find(name)));
    };
    const auto find_address = [&](const std::string& text) {
        return summary_of(test.run(store.find_by_address(EmailAddress::parse(text).value())));
    };
    const auto count = [&](const std::string& domain) {
        return test.run(store.count_in_domain(DomainName::parse(domain).value())).value();
    };
    const auto alice = mailbox_of(
        "Alice Smith", "alice", {"Alice@contoso.com", "\"al ice\"@contoso.com", "a@fabrikam.com"});
    REQUIRE(create(alice));

    SECTION("a recipient is found by name, alias and address, without case, and comes back whole") {
        CHECK(find("alice smith") == summary_of(alice));
        CHECK(find("ALICE") == summary_of(alice));
        CHECK(find_address("alice@CONTOSO.com") == summary_of(alice));
        CHECK(find_address("\"AL ice\"@contoso.com") == summary_of(alice));
        CHECK(find("bob") == "nobody");
        CHECK(find_address("alice@other.com") == "nobody");
    }
    SECTION("a name goes before an alias") {
        const auto other = mailbox_of("alice", "other", {"other@contoso.com"});
        REQUIRE(create(other));

        CHECK(find("Alice") == summary_of(other));
    }
    SECTION("a taken name, alias or address is refused and nothing is left of the attempt") {
        const auto by_name = create(mailbox_of("ALICE SMITH", "b", {"b@contoso.com"}));
        const auto by_alias = create(mailbox_of("B", "Alice", {"b@contoso.com"}));
        const auto by_address = create(mailbox_of("B", "b", {"b@contoso.com", "A@fabrikam.com"}));

        CHECK(by_name.error() == Error::already_exists);
        CHECK(by_alias.error() == Error::already_exists);
        CHECK(by_address.error() == Error::already_exists);
        CHECK(find("b") == "nobody");
        CHECK(find_address("b@contoso.com") == "nobody");
        CHECK(count("contoso.com") == 1);
    }
    SECTION("pages come by name without case, each after the last name of the one before") {
        REQUIRE(create(mailbox_of("bob", "bob", {"bob@contoso.com"})));
        REQUIRE(create(mailbox_of("Carol", "carol", {"carol@contoso.com"})));

        const auto first = test.run(store.page("", 2)).value();
        const auto second = test.run(store.page("BOB", 2)).value();
        const auto third = test.run(store.page("Carol", 2)).value();

        REQUIRE(first.size() == 2);
        CHECK(summary_of(first[0]) == summary_of(alice));
        CHECK(first[1].name == "bob");
        REQUIRE(second.size() == 1);
        CHECK(second[0].name == "Carol");
        CHECK(third.empty());
    }
    SECTION("domains in use are listed and counted by recipient, not by address") {
        REQUIRE(create(mailbox_of("bob", "bob", {"bob@contoso.com"})));

        CHECK(count("CONTOSO.com") == 2);
        CHECK(count("fabrikam.com") == 1);
        CHECK(count("other.com") == 0);
        CHECK(
            test.run(store.domains("", 10)).value() ==
            std::vector<std::string>{"contoso.com", "fabrikam.com"});
        CHECK(test.run(store.domains("", 1)).value() == std::vector<std::string>{"contoso.com"});
        CHECK(
            test.run(store.domains("contoso.com", 10)).value() ==
            std::vector<std::string>{"fabrikam.com"});
    }
    SECTION("a replaced recipient has its new name and addresses only") {
        const auto next = mailbox_of("Alice Jones", "alice", {"jones@contoso.com"});

        REQUIRE(test.run(store.replace("alice smith", next, author)));

        CHECK(find("Alice Jones") == summary_of(next));
        CHECK(find("Alice Smith") == "nobody");
        CHECK(find_address("alice@contoso.com") == "nobody");
        CHECK(count("fabrikam.com") == 0);
    }
    SECTION("a replacement that takes what another has is refused and changes nothing") {
        const auto bob = mailbox_of("bob", "bob", {"bob@contoso.com"});
        REQUIRE(create(bob));

        const auto taken = test.run(store.replace(
            "bob", mailbox_of("bob", "bob", {"x@contoso.com", "alice@contoso.com"}), author));
        const auto unknown = test.run(store.replace("carol", bob, author));

        CHECK(taken.error() == Error::already_exists);
        CHECK(unknown.error() == Error::not_found);
        CHECK(find("bob") == summary_of(bob));
        CHECK(find_address("x@contoso.com") == "nobody");
    }
    SECTION("a recipient is found by its UPN, which nobody else can have") {
        auto bob = mailbox_of("bob", "bob", {"bob@contoso.com"});
        bob.upn = "Robert@contoso.com";
        REQUIRE(create(bob));
        auto eve = mailbox_of("eve", "eve", {"eve@contoso.com"});
        eve.upn = "ROBERT@contoso.com";

        const auto found = test.run(store.find_by_upn("robert@CONTOSO.com")).value();
        const auto primary = test.run(store.find_by_upn("alice@contoso.com")).value();

        REQUIRE(found);
        CHECK(found->name == "bob");
        CHECK(found->upn == "Robert@contoso.com");
        REQUIRE(primary);
        CHECK(primary->upn == "Alice@contoso.com");
        CHECK_FALSE(test.run(store.find_by_upn("bob@contoso.com")).value());
        CHECK(create(eve).error() == Error::already_exists);
    }
    SECTION("a verifier comes back octet for octet, and goes") {
        auto bob = mailbox_of("bob", "bob", {"bob@contoso.com"});
        bob.verifier = ScramVerifier{16384, std::string("s\0lt", 4), {0, 255, 1}, {7}};
        REQUIRE(create(bob));
        CHECK(test.run(store.find("bob")).value()->verifier == bob.verifier);
        bob.verifier.reset();

        REQUIRE(test.run(store.replace("bob", bob, author)));

        CHECK_FALSE(test.run(store.find("bob")).value()->verifier);
    }
    SECTION("names in send_as follow their recipients") {
        const auto bob = mailbox_of("bob", "bob", {"bob@contoso.com"});
        auto team = mailbox_of("team", "team", {"team@contoso.com"});
        team.send_as = {"BOB", "alice smith"};
        REQUIRE(create(bob));
        REQUIRE(create(team));
        const auto senders = [&] {
            return test.run(store.find("team")).value()->send_as;
        };
        CHECK(senders() == std::vector<std::string>{"bob", "Alice Smith"});
        auto renamed = bob;
        renamed.name = "Robert";

        REQUIRE(test.run(store.replace("bob", renamed, author)));
        CHECK(senders() == std::vector<std::string>{"Robert", "Alice Smith"});
        REQUIRE(test.run(store.remove("alice", author)));
        CHECK(senders() == std::vector<std::string>{"Robert"});
        team.send_as = {"nobody"};

        CHECK(test.run(store.replace("team", team, author)).error() == Error::not_found);
        CHECK(senders() == std::vector<std::string>{"Robert"});
    }
    SECTION("a removed recipient leaves its name and addresses to others") {
        REQUIRE(test.run(store.remove("alice smith", author)));

        CHECK(find("alice") == "nobody");
        CHECK(test.run(store.remove("alice", author)).error() == Error::not_found);
        CHECK(create(alice));
    }
}

}  // namespace mailflow
