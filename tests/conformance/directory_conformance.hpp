// What every Directory promises. Called from a TEST_CASE with an empty one and the ways to fill it:
// `add(recipient)` and `set_members(group, names)`; each section is one promise.
#pragma once

#include "tests/conformance/recipient_kinds_conformance.hpp"
#include "transport/ports/directory.hpp"

namespace mailflow {

template <class Add, class SetMembers>
void check_directory(
    TestLane& test, Directory& directory, const Add& add, const SetMembers& set_members) {
    const auto name_of = [](const Result<MailRecipientPtr>& found) {
        if (!found) return found.error().message();
        return *found == nullptr ? "nobody" : (*found)->name;
    };
    const auto address = [&](const std::string& text) {
        return name_of(test.run(directory.find_recipient(EmailAddress::parse(text).value())));
    };
    const auto name = [&](const std::string& text) {
        return name_of(test.run(directory.find_by_name(text)));
    };
    const auto login = [&](const std::string& text) {
        return name_of(test.run(directory.find_login(text)));
    };
    const auto members =
        [&](const std::string& group, const std::string& after, std::size_t limit) {
            std::string names;
            for (const auto& member : test.run(directory.members(group, after, limit)).value())
                names += (names.empty() ? "" : " ") + member->name;
            return names;
        };
    const auto is_member = [&](const std::string& group, const std::string& recipient) {
        return test.run(directory.is_member(group, recipient)).value();
    };
    auto bob = mailbox_of("bob", "robert", {"Bob@contoso.com", "b@fabrikam.com"});
    bob.upn = "bob@contoso.com";
    add(bob);
    add(contact_of("eve", "eve@elsewhere.invalid"));
    add(group_of("staff"));
    add(group_of("all"));

    SECTION("all kinds are found by address and by name, without case; not by alias") {
        CHECK(address("bob@CONTOSO.com") == "bob");
        CHECK(address("B@fabrikam.com") == "bob");
        CHECK(address("eve@contoso.com") == "eve");
        CHECK(address("staff@contoso.com") == "staff");
        CHECK(address("eve@elsewhere.invalid") == "nobody");
        CHECK(name("BOB") == "bob");
        CHECK(name("Eve") == "eve");
        CHECK(name("staff") == "staff");
        CHECK(name("robert") == "nobody");
        CHECK(name("") == "nobody");
    }
    SECTION("mailboxes log in, contacts and groups do not") {
        CHECK(login("robert") == "bob");
        CHECK(login("bob@contoso.com") == "bob");
        CHECK(login("b@fabrikam.com") == "bob");
        CHECK(login("eve") == "nobody");
        CHECK(login("eve@contoso.com") == "nobody");
        CHECK(login("staff@contoso.com") == "nobody");
        CHECK(login("") == "nobody");
    }
    SECTION("direct members come page by page, by name; what is no group has none") {
        set_members("staff", {"eve", "bob", "all"});

        CHECK(members("STAFF", "", 10) == "all bob eve");
        CHECK(members("staff", "", 2) == "all bob");
        CHECK(members("staff", "BOB", 2) == "eve");
        CHECK(members("staff", "eve", 2).empty());
        CHECK(members("all", "", 10).empty());
        CHECK(members("bob", "", 10).empty());
        CHECK(members("nobody", "", 10).empty());
    }
    SECTION("membership is direct or through groups, and circles are harmless") {
        set_members("all", {"staff"});
        set_members("staff", {"bob", "all"});

        CHECK(is_member("staff", "BOB"));
        CHECK(is_member("ALL", "bob"));
        CHECK(is_member("all", "staff"));
        CHECK(is_member("all", "all"));
        CHECK_FALSE(is_member("all", "eve"));
        CHECK_FALSE(is_member("bob", "bob"));
        CHECK_FALSE(is_member("nobody", "bob"));
        CHECK_FALSE(is_member("staff", "nobody"));
    }
    SECTION("membership goes through as many groups as are followed, and no more") {
        std::string below = "bob";
        for (std::uint32_t depth = 0; depth <= kMaxGroupDepth + 1; ++depth) {
            const auto group = "level" + std::to_string(depth);
            add(group_of(group));
            set_members(group, {below});
            below = group;
        }

        CHECK(is_member("level" + std::to_string(kMaxGroupDepth), "bob"));
        CHECK_FALSE(is_member("level" + std::to_string(kMaxGroupDepth + 1), "bob"));
    }
}

}  // namespace mailflow
