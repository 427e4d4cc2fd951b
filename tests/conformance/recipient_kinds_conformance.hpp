// What every RecipientStore promises about contacts and groups, names of others, and many at once.
// Called from a TEST_CASE with a fresh, empty store; each section is one promise.
#pragma once

#include "tests/conformance/recipient_store_conformance.hpp"

#include <algorithm>

namespace mailflow {

inline MailRecipient contact_of(const std::string& name, const std::string& external) {
    auto contact = mailbox_of(name, name, {name + "@contoso.com"});
    contact.kind = RecipientKind::contact;
    contact.external_address = EmailAddress::parse(external).value();
    return contact;
}

inline MailRecipient group_of(const std::string& name) {
    auto group = mailbox_of(name, name, {name + "@contoso.com"});
    group.kind = RecipientKind::group;
    return group;
}

inline MailRecipient user_of(const std::string& name) {
    return mailbox_of(name, name, {name + "@contoso.com"});
}

inline std::vector<std::string> names_of(const std::vector<MailRecipient>& recipients) {
    std::vector<std::string> names;
    for (const auto& recipient : recipients)
        names.push_back(recipient.name);
    return names;
}

// `bob forwarding, team member`, sorted.
inline std::string words_of(Result<std::vector<Referrer>> referrers) {
    if (!referrers) return referrers.error().message();
    std::vector<std::string> words;
    for (const auto& referrer : *referrers)
        words.push_back(referrer.name + " " + to_text(referrer.role));
    std::sort(words.begin(), words.end());
    std::string all;
    for (const auto& word : words)
        all += (all.empty() ? "" : ", ") + word;
    return all;
}

struct RecipientStoreCheck {
    TestLane& test;
    RecipientStore& store;
    ChangeAuthor author{"uid=0(root)", "test"};

    void add(const MailRecipient& recipient) { REQUIRE(test.run(store.create(recipient, author))); }

    Result<> put(const std::string& name, const MailRecipient& recipient) {
        return test.run(store.replace(name, recipient, author));
    }

    MailRecipient get(const std::string& name) {
        auto found = test.run(store.find(name)).value();
        REQUIRE(found);
        return *found;
    }

    bool knows(const std::string& name) { return test.run(store.find(name)).value().has_value(); }

    Result<> edit(
        const std::string& group,
        const std::vector<std::string>& added,
        const std::vector<std::string>& removed) {
        return test.run(store.edit_members(group, added, removed, author));
    }

    std::vector<std::string> members(
        const std::string& group, const std::string& after = {}, std::size_t limit = 100) {
        return test.run(store.members(group, after, limit)).value();
    }

    std::string referrers(const std::string& name, std::size_t limit = 100) {
        return words_of(test.run(store.referrers(name, limit)));
    }

    std::vector<Result<>> write(const std::vector<MailRecipient>& recipients) {
        return test.run(store.write_batch(recipients, author)).value();
    }

    std::uint64_t count(RecipientKind kind) { return test.run(store.count(kind)).value(); }

    // `"key owner" …`
    std::vector<std::string> taken(
        const std::vector<std::string>& keys, const std::string& except) {
        std::vector<std::string> words;
        for (const auto& name : test.run(store.taken(keys, except)).value())
            words.push_back(name.lookup_key + " " + name.owner);
        return words;
    }
};

inline void check_recipient_fields(TestLane& test, RecipientStore& store) {
    RecipientStoreCheck check{test, store};
    check.add(user_of("bob"));
    check.add(group_of("staff"));

    SECTION("every field of a mailbox comes back") {
        auto carol = mailbox_of("carol", "c", {"carol@contoso.com", "c@contoso.com"});
        carol.upn = "carol@contoso.com";
        carol.initials = "Q";
        carol.attributes = {{"company", "Contoso"}, {"custom_attribute_15", "line\nline"}};
        carol.address_policy_enabled = false;
        carol.rewrite_sender_to_primary = false;
        carol.limits.accept_from = {"staff", "bob"};
        carol.limits.reject_from = {"bob"};
        carol.limits.require_authenticated_sender = true;
        carol.limits.max_receive_size = 0;
        carol.limits.max_send_size = std::uint64_t{5} << 40U;
        carol.limits.max_recipients = 4'000'000'000;
        carol.target = {DeliveryTarget::Kind::lmtp, "unix:/run/lmtp"};
        carol.forwarding.recipient = "bob";
        carol.forwarding.address = EmailAddress::parse("\"c d\"@elsewhere.invalid").value();
        carol.forwarding.deliver_and_forward = true;
        carol.send_as = {"bob"};
        check.add(carol);

        const auto found = check.get("carol");

        CHECK(summary_of(found) == summary_of(carol));
        CHECK(found.kind == RecipientKind::mailbox);
        CHECK(found.initials == "Q");
        CHECK(found.attributes == carol.attributes);
        CHECK_FALSE(found.address_policy_enabled);
        CHECK(found.rewrite_sender_to_primary == false);
        CHECK(found.limits == carol.limits);
        CHECK(found.target == carol.target);
        CHECK(found.forwarding == carol.forwarding);
        CHECK(found.send_as == carol.send_as);
        CHECK_FALSE(found.external_address);
    }
    SECTION("a plain mailbox has what a new one has") {
        const auto bob = check.get("bob");

        CHECK(bob.attributes.empty());
        CHECK(bob.address_policy_enabled);
        CHECK_FALSE(bob.rewrite_sender_to_primary);
        CHECK(bob.limits == RecipientLimits{});
        CHECK(bob.target == DeliveryTarget{});
        CHECK_FALSE(bob.forwarding.is_set());
    }
    SECTION("fields that are taken away are gone") {
        auto bob = check.get("bob");
        bob.attributes = {{"company", "Contoso"}};
        bob.limits.accept_from = {"staff"};
        bob.limits.max_recipients = 3;
        bob.forwarding.recipient = "staff";
        REQUIRE(check.put("bob", bob));
        CHECK(check.get("bob").limits == bob.limits);

        REQUIRE(check.put("bob", user_of("bob")));

        CHECK(check.get("bob").attributes.empty());
        CHECK(check.get("bob").limits == RecipientLimits{});
        CHECK_FALSE(check.get("bob").forwarding.is_set());
    }
    SECTION("contacts and groups come back, without UPN and password") {
        auto eve = contact_of("eve", "Eve@elsewhere.invalid");
        eve.upn = "eve@contoso.com";
        eve.verifier = ScramVerifier{16384, "salt", {1}, {2}};
        auto team = group_of("team");
        team.group = {{"bob", "staff"}, true, false, true};
        check.add(eve);
        check.add(team);

        const auto contact = check.get("eve");
        const auto group = check.get("team");

        CHECK(contact.kind == RecipientKind::contact);
        CHECK(contact.external_address->text() == "Eve@elsewhere.invalid");
        CHECK(contact.upn.empty());
        CHECK_FALSE(contact.verifier);
        CHECK(group.kind == RecipientKind::group);
        CHECK(group.group == team.group);
        CHECK_FALSE(test.run(store.find_by_upn("")).value());
        CHECK_FALSE(test.run(store.find_by_upn("eve@contoso.com")).value());
    }
    SECTION("each kind is listed and counted by itself") {
        check.add(contact_of("eve", "eve@elsewhere.invalid"));
        check.add(group_of("Club"));
        const auto groups = [&](const std::string& after, std::size_t limit) {
            return names_of(test.run(store.page_of(RecipientKind::group, after, limit)).value());
        };

        CHECK(groups("", 10) == std::vector<std::string>{"Club", "staff"});
        CHECK(groups("", 1) == std::vector<std::string>{"Club"});
        CHECK(groups("CLUB", 10) == std::vector<std::string>{"staff"});
        CHECK(check.count(RecipientKind::mailbox) == 1);
        CHECK(check.count(RecipientKind::contact) == 1);
        CHECK(check.count(RecipientKind::group) == 2);
        REQUIRE(check.put("Club", user_of("Club")));
        REQUIRE(test.run(store.remove("eve", check.author)));

        CHECK(check.count(RecipientKind::mailbox) == 2);
        CHECK(check.count(RecipientKind::contact) == 0);
        CHECK(check.count(RecipientKind::group) == 1);
    }
    SECTION("what is taken is told with its owner, whatever it is taken as") {
        auto dave = mailbox_of("dave", "bobby", {"dave@contoso.com", "info@contoso.com"});
        dave.upn = "d@corp.contoso.com";
        check.add(dave);

        CHECK(
            check.taken({"DAVE", "Bobby", "D@corp.contoso.com", "info@contoso.com", "new"}, "") ==
            std::vector<std::string>{
                "DAVE dave", "Bobby dave", "D@corp.contoso.com dave", "info@contoso.com dave"});
        CHECK(check.taken({"bobby", "info@contoso.com"}, "Dave").empty());
        check.add(mailbox_of("bobby", "other", {"other@contoso.com"}));
        CHECK(check.taken({"bobby"}, "") == std::vector<std::string>{"bobby bobby", "bobby dave"});
        CHECK(check.taken({"bobby"}, "bobby") == std::vector<std::string>{"bobby dave"});
        CHECK(check.taken({""}, "").empty());
    }
}

inline void check_recipient_references(TestLane& test, RecipientStore& store) {
    RecipientStoreCheck check{test, store};
    check.add(user_of("bob"));
    check.add(user_of("carol"));
    check.add(group_of("staff"));

    SECTION("members are added and removed by name, and listed page by page") {
        REQUIRE(check.edit("STAFF", {"carol", "BOB", "bob"}, {}));

        CHECK(check.members("staff") == std::vector<std::string>{"bob", "carol"});
        CHECK(check.members("staff", "", 1) == std::vector<std::string>{"bob"});
        CHECK(check.members("staff", "BOB") == std::vector<std::string>{"carol"});
        REQUIRE(check.edit("staff", {"staff"}, {"Bob", "bob"}));
        REQUIRE(check.edit("staff", {}, {"bob"}));
        CHECK(check.members("staff") == std::vector<std::string>{"carol", "staff"});
    }
    SECTION("an edit that names nobody, or no group, changes nothing") {
        REQUIRE(check.edit("staff", {"bob"}, {}));

        CHECK(check.edit("staff", {"carol", "nobody"}, {}).error() == Error::not_found);
        CHECK(check.edit("staff", {"carol"}, {"bob", "nobody"}).error() == Error::not_found);
        CHECK(check.edit("bob", {"carol"}, {}).error() == Error::not_found);
        CHECK(check.edit("nobody", {"carol"}, {}).error() == Error::not_found);
        CHECK(check.members("staff") == std::vector<std::string>{"bob"});
        CHECK(test.run(store.members("bob", "", 1)).error() == Error::not_found);
        CHECK(test.run(store.members("nobody", "", 1)).error() == Error::not_found);
    }
    SECTION("every kind of name follows a rename, and vanishes with the recipient") {
        auto dave = user_of("dave");
        dave.send_as = {"bob", "carol"};
        dave.limits.accept_from = {"bob"};
        dave.limits.reject_from = {"carol", "bob"};
        dave.forwarding.recipient = "bob";
        check.add(dave);
        auto team = group_of("team");
        team.group.owners = {"bob"};
        check.add(team);
        REQUIRE(check.edit("team", {"bob", "carol"}, {}));
        REQUIRE(check.edit("staff", {"bob"}, {}));

        CHECK(
            check.referrers("BOB") ==
            "dave accept_from, dave forwarding, dave reject_from, dave send_as, "
            "staff member, team member, team owner");
        CHECK(check.referrers("dave").empty());
        CHECK(check.referrers("nobody") == make_error_code(Error::not_found).message());
        CHECK(test.run(store.referrers("bob", 3)).value().size() == 3);

        auto robert = check.get("bob");
        robert.name = "Zed";
        REQUIRE(check.put("bob", robert));

        CHECK(check.get("dave").send_as == std::vector<std::string>{"Zed", "carol"});
        CHECK(check.get("dave").limits.accept_from == std::vector<std::string>{"Zed"});
        CHECK(check.get("dave").limits.reject_from == std::vector<std::string>{"carol", "Zed"});
        CHECK(check.get("dave").forwarding.recipient == "Zed");
        CHECK(check.get("team").group.owners == std::vector<std::string>{"Zed"});
        CHECK(check.members("team") == std::vector<std::string>{"carol", "Zed"});

        REQUIRE(test.run(store.remove("zed", check.author)));

        CHECK(check.get("dave").send_as == std::vector<std::string>{"carol"});
        CHECK(check.get("dave").limits.accept_from.empty());
        CHECK(check.get("dave").limits.reject_from == std::vector<std::string>{"carol"});
        CHECK(check.get("dave").forwarding.recipient.empty());
        CHECK(check.get("team").group.owners.empty());
        CHECK(check.members("team") == std::vector<std::string>{"carol"});
        CHECK(check.members("staff").empty());
    }
    SECTION("who accepts mail from one recipient alone is told") {
        const auto opened = [&](const char* name, std::size_t limit = 10) {
            auto names = test.run(store.accepting_only(name, limit)).value();
            std::sort(names.begin(), names.end());
            return names;
        };
        for (const auto* name : {"dave", "erin"}) {
            auto user = user_of(name);
            user.limits.accept_from = {"bob"};
            user.limits.reject_from = {"carol"};
            check.add(user);
        }
        auto both = user_of("frank");
        both.limits.accept_from = {"bob", "carol"};
        check.add(both);
        auto bob = check.get("bob");
        bob.limits.accept_from = {"bob"};
        REQUIRE(check.put("bob", bob));

        CHECK(opened("BOB") == std::vector<std::string>{"dave", "erin"});
        CHECK(opened("bob", 1).size() == 1);
        CHECK(opened("carol").empty());
        CHECK(test.run(store.accepting_only("nobody", 1)).error() == Error::not_found);
    }
    SECTION("a name that changes its case alone is spelled anew everywhere") {
        REQUIRE(check.edit("staff", {"bob"}, {}));
        auto bob = check.get("bob");
        bob.name = "BOB";

        REQUIRE(check.put("bob", bob));

        CHECK(check.members("staff") == std::vector<std::string>{"BOB"});
    }
    SECTION("members outlive a change of their group, and a group that is none any more") {
        REQUIRE(check.edit("staff", {"bob"}, {}));
        auto crew = check.get("staff");
        crew.name = "crew";
        REQUIRE(check.put("staff", crew));
        CHECK(check.members("crew") == std::vector<std::string>{"bob"});
        REQUIRE(check.put("crew", user_of("crew")));

        REQUIRE(check.put("crew", group_of("crew")));

        CHECK(check.members("crew").empty());
        CHECK(check.referrers("bob").empty());
    }
    SECTION("one may name itself, and nobody unknown") {
        auto eve = user_of("eve");
        eve.limits.accept_from = {"EVE"};
        check.add(eve);
        CHECK(check.get("eve").limits.accept_from == std::vector<std::string>{"eve"});
        eve.forwarding.recipient = "nobody";

        CHECK(check.put("eve", eve).error() == Error::not_found);
        CHECK(check.get("eve").forwarding.recipient.empty());
    }
}

inline void check_recipient_batches(TestLane& test, RecipientStore& store) {
    RecipientStoreCheck check{test, store};
    check.add(user_of("bob"));
    const auto forwarding = [](const std::string& name, const std::string& to) {
        auto mailbox = user_of(name);
        mailbox.forwarding.recipient = to;
        return mailbox;
    };

    SECTION("a batch creates and replaces, and names in it may be of later ones") {
        auto bob = user_of("BOB");
        bob.first_name = "Robert";

        const auto results = check.write({forwarding("a", "z"), bob, forwarding("z", "bob")});

        CHECK(std::all_of(results.begin(), results.end(), [](const auto& r) { return !!r; }));
        CHECK(check.get("a").forwarding.recipient == "z");
        CHECK(check.get("z").forwarding.recipient == "BOB");
        CHECK(check.get("bob").first_name == "Robert");
        CHECK(check.count(RecipientKind::mailbox) == 3);
    }
    SECTION("a bad row is left out and the others are not") {
        auto taken = mailbox_of("c", "c", {"c@contoso.com", "BOB@contoso.com"});
        auto alias = mailbox_of("d", "bob", {"d@contoso.com"});
        auto upn = user_of("e");
        upn.upn = "bob@contoso.com";

        const auto results = check.write({user_of("a"), taken, alias, upn, user_of("z")});

        REQUIRE(results.size() == 5);
        CHECK(results[0]);
        CHECK(results[1].error() == Error::already_exists);
        CHECK(results[2].error() == Error::already_exists);
        CHECK(results[3].error() == Error::already_exists);
        CHECK(results[4]);
        CHECK(check.knows("a"));
        CHECK_FALSE(check.knows("c"));
        CHECK_FALSE(check.knows("d"));
        CHECK_FALSE(check.knows("e"));
        CHECK(check.knows("z"));
        CHECK(check.taken({"c@contoso.com"}, "").empty());
        CHECK(check.count(RecipientKind::mailbox) == 3);
    }
    SECTION("who names nobody is left out, and so is who names it") {
        auto changed = forwarding("bob", "nobody");
        changed.first_name = "Changed";

        const auto results = check.write(
            {forwarding("a", "b"),
             forwarding("b", "c"),
             forwarding("c", "nobody"),
             changed,
             forwarding("d", "bob"),
             user_of("e")});

        REQUIRE(results.size() == 6);
        for (const auto i : {0U, 1U, 2U, 3U})
            CHECK(results[i].error() == Error::not_found);
        CHECK(results[4]);
        CHECK(results[5]);
        CHECK_FALSE(check.knows("a"));
        CHECK_FALSE(check.knows("c"));
        CHECK(check.get("bob").first_name == "First");
        CHECK(check.get("d").forwarding.recipient == "bob");
    }
    SECTION("what a row that stays out would have taken is free for a later one") {
        auto heir = mailbox_of("heir", "heir", {"heir@contoso.com", "a@contoso.com"});

        const auto results = check.write({forwarding("a", "nobody"), heir});

        CHECK(results[0].error() == Error::not_found);
        CHECK(results[1]);
        CHECK(check.taken({"a@contoso.com"}, "") == std::vector<std::string>{"a@contoso.com heir"});
    }
    SECTION("one who is in a batch twice is what the later one says") {
        auto later = user_of("A");
        later.first_name = "Later";

        const auto results = check.write({forwarding("a", "bob"), later});

        CHECK(results[0]);
        CHECK(results[1]);
        CHECK(check.get("a").first_name == "Later");
        CHECK_FALSE(check.get("a").forwarding.is_set());
    }
    SECTION("members stay when their group is written again") {
        check.add(group_of("staff"));
        REQUIRE(check.edit("staff", {"bob"}, {}));

        REQUIRE(check.write({group_of("staff")}).front());

        CHECK(check.members("staff") == std::vector<std::string>{"bob"});
    }
    SECTION("batches between begin and end are one change, or none") {
        for (const bool keep : {false, true}) {
            INFO(keep);
            REQUIRE(test.run(store.begin(check.author)));
            CHECK(test.run(store.begin(check.author)).error() == Error::conflict);
            const auto written =
                test.run(store.write_batch({user_of("x"), group_of("g")}, check.author));
            REQUIRE(written.has_value());
            auto late = user_of("y");
            late.addresses = {EmailAddress::parse("x@contoso.com").value()};
            const auto taken = test.run(store.write_batch({late}, check.author)).value();
            CHECK(taken.front().error() == Error::already_exists);
            REQUIRE(check.edit("g", {"x"}, {}));
            CHECK(check.knows("x"));  // this port sees it
            CHECK(check.members("g") == std::vector<std::string>{"x"});

            REQUIRE(test.run(store.end(keep)));

            CHECK(check.knows("x") == keep);
            CHECK(check.knows("g") == keep);
            CHECK(test.run(store.end(keep)).error() == Error::conflict);
        }
    }
    SECTION("rows that are staged wait in order until they are forgotten") {
        const auto numbers = [&](std::optional<std::uint64_t> after, std::size_t limit) {
            std::string text;
            for (const auto& row : test.run(store.staged(after, limit)).value())
                text += std::to_string(row.number) + row.document + " ";
            return text;
        };
        REQUIRE(test.run(store.stage({{7, "c"}, {0, "a"}})));
        REQUIRE(test.run(store.stage({{3, "b"}})));

        CHECK(numbers({}, 9) == "0a 3b 7c ");
        CHECK(numbers(0, 1) == "3b ");
        CHECK(test.run(store.stage({{9, "d"}, {3, "b"}})).error() == Error::already_exists);
        CHECK(numbers(3, 9) == "7c ");
        REQUIRE(test.run(store.unstage()));
        CHECK(numbers({}, 9).empty());
    }
    SECTION("a batch has its limit, and may be empty") {
        const std::vector<MailRecipient> many(kRecipientBatch + 1, user_of("a"));

        const auto refused = test.run(store.write_batch(many, check.author));

        CHECK(refused.error() == Error::too_large);
        CHECK(check.write({}).empty());
    }
}

}  // namespace mailflow
