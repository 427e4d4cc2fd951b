#include "transport/addressing/address_plan.hpp"

#include "tests/support/property_seeds.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/transport/addressing/recipients.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace mailflow {

namespace {

AddressPolicy policy(std::string name, std::uint32_t priority, std::string primary) {
    AddressPolicy made;
    made.name = std::move(name);
    made.priority = priority;
    made.primary_template = std::move(primary);
    made.applied = true;
    return made;
}

AddressPolicy default_policy(std::string primary) {
    return policy(kDefaultPolicyName, kLowestPriority, std::move(primary));
}

bool nothing_is_taken(const EmailAddress&) {
    return false;
}

std::string shown(const std::vector<EmailAddress>& addresses) {
    std::string line;
    for (const auto& one : addresses) {
        line += (line.empty() ? "" : " ") + one.text();
    }
    return line;
}

// Who holds which address, as the directory would say it.
class Holders {
  public:
    explicit Holders(const std::vector<MailRecipient>& recipients) {
        for (const auto& recipient : recipients) {
            take(recipient);
        }
    }

    void take(const MailRecipient& recipient) {
        for (const auto& held : recipient.addresses) {
            holders_.emplace(held.lookup_key(), recipient.name);
        }
    }

    [[nodiscard]] std::function<bool(const EmailAddress&)> taken_from(
        const MailRecipient& recipient) const {
        return [this, name = recipient.name](const EmailAddress& wanted) {
            const auto found = holders_.find(wanted.lookup_key());
            return found != holders_.end() && found->second != name;
        };
    }

  private:
    std::map<std::string, std::string> holders_;
};

// Applies all policies to all recipients, one after another; the number of those it changed.
std::size_t apply(const PolicySet& policies, std::vector<MailRecipient>& recipients) {
    Holders holders(recipients);
    std::size_t changed = 0;
    for (auto& recipient : recipients) {
        const auto plan = policies.plan(recipient, holders.taken_from(recipient));
        if (!plan.changes) {
            REQUIRE(plan.addresses == recipient.addresses);
            continue;
        }
        recipient.addresses = plan.addresses;
        holders.take(recipient);
        ++changed;
    }
    return changed;
}

}  // namespace

TEST_CASE(
    "The seed's steps: the default policy's domain becomes everybody's", "[addressing][plan]") {
    const std::vector policies{default_policy("@contoso.com")};
    const PolicySet set(policies, nullptr);

    const auto plan = set.plan(david(), nothing_is_taken);

    CHECK(plan.policy == &policies.front());
    CHECK(plan.changes);
    CHECK(shown(plan.addresses) == "david@contoso.com david@corp.contoso.com");
    CHECK(plan.numbered.empty());
}

TEST_CASE(
    "Fact 12: the first policy that matches is the only one, applied or not",
    "[addressing][plan]") {
    auto sales = policy("Sales", 1, "%g.%s@sales.contoso.com");
    sales.conditions = {{"department", {"Legal", "SALES"}}};
    sales.applied = false;
    auto company = policy("Company", 2, "%1g%s@contoso.com");
    company.conditions = {{"company", {"Contoso"}}};
    company.secondary_templates = {"%m@company.contoso.com"};
    const std::vector policies{default_policy("@contoso.com"), company, sales};  // in any order
    const PolicySet set(policies, nullptr);

    const auto plan = set.plan(david(), nothing_is_taken);

    CHECK(plan.policy->name == "Sales");
    CHECK(shown(plan.addresses) == "David.Pelton@sales.contoso.com david@corp.contoso.com");

    auto of_legal = david();
    of_legal.attributes["department"] = "Support";
    CHECK(set.find(of_legal)->name == "Company");
    of_legal.attributes.clear();
    CHECK(set.find(of_legal)->is_default());
}

TEST_CASE("Fact 13: policies only add, the former primary stays", "[addressing][plan]") {
    auto recipient = david();
    const std::vector first{default_policy("%m@contoso.com")};
    const std::vector second{default_policy("%g@fabrikam.com")};
    const std::vector<AddressPolicy> none;

    recipient.addresses = PolicySet(first, nullptr).plan(recipient, nothing_is_taken).addresses;
    recipient.addresses = PolicySet(second, nullptr).plan(recipient, nothing_is_taken).addresses;
    const auto without = PolicySet(none, nullptr).plan(recipient, nothing_is_taken);

    CHECK(
        shown(recipient.addresses) ==
        "David@fabrikam.com david@contoso.com david@corp.contoso.com");
    CHECK(without.policy == nullptr);
    CHECK_FALSE(without.changes);
    CHECK(without.addresses == recipient.addresses);
}

TEST_CASE("Fact 14: a plan changes no recipient and no policy", "[addressing][plan]") {
    const std::vector policies{default_policy("%m@contoso.com")};
    const auto recipient = david();

    const auto plan = PolicySet(policies, nullptr).plan(recipient, nothing_is_taken);

    CHECK(plan.changes);
    CHECK(recipient.addresses == david().addresses);
}

TEST_CASE("An address that is there already is promoted, not doubled", "[addressing][plan]") {
    auto recipient = david();
    recipient.addresses = {
        address("david@corp.contoso.com"), address("dp@contoso.com"), address("DAVID@contoso.com")};
    const std::vector policies{default_policy("%m@contoso.com")};

    const auto plan = PolicySet(policies, nullptr).plan(recipient, nothing_is_taken);

    CHECK(plan.changes);
    CHECK(shown(plan.addresses) == "DAVID@contoso.com david@corp.contoso.com dp@contoso.com");
}

TEST_CASE("Secondary templates come behind the primary", "[addressing][plan]") {
    auto made = default_policy("%m@contoso.com");
    made.secondary_templates = {"%g.%s@contoso.com", "%m@corp.contoso.com", "%m@contoso.com"};
    const std::vector policies{made};
    const PolicySet set(policies, nullptr);

    const auto plan = set.plan(david(), nothing_is_taken);

    CHECK(
        shown(plan.addresses) ==
        "david@contoso.com David.Pelton@contoso.com david@corp.contoso.com");
    CHECK(
        shown(set.wanted(david())) ==
        "david@contoso.com David.Pelton@contoso.com david@corp.contoso.com david@contoso.com");
}

TEST_CASE("What is up to date keeps even the order of its addresses", "[addressing][plan]") {
    auto made = default_policy("%m@contoso.com");
    made.secondary_templates = {"%g@contoso.com", "%s@contoso.com"};
    const std::vector policies{made};
    auto recipient = david();
    recipient.alias = "dp";
    recipient.addresses = {
        address("dp@contoso.com"),
        address("x@y"),
        address("pelton@contoso.com"),
        address("david@contoso.com")};

    const auto plan = PolicySet(policies, nullptr).plan(recipient, nothing_is_taken);

    CHECK_FALSE(plan.changes);
    CHECK(plan.addresses == recipient.addresses);
}

TEST_CASE("Reference 4.6: an address of another gets 2, 3 and so on", "[addressing][plan]") {
    const std::vector policies{default_policy("%m@contoso.com")};
    const PolicySet set(policies, nullptr);
    std::set<std::string> taken{"david@contoso.com", "david2@contoso.com"};
    const auto is_taken = [&taken](const EmailAddress& wanted) {
        return taken.contains(wanted.lookup_key());
    };
    auto recipient = david();

    const auto plan = set.plan(recipient, is_taken);
    CHECK(shown(plan.addresses) == "david3@contoso.com david@corp.contoso.com");
    CHECK(shown(plan.numbered) == "david3@contoso.com");

    // It keeps its number when a lower one becomes free, and loses it when it needs none.
    recipient.addresses = plan.addresses;
    taken.erase("david2@contoso.com");
    CHECK_FALSE(set.plan(recipient, is_taken).changes);
    CHECK(shown(set.plan(recipient, is_taken).numbered) == "david3@contoso.com");

    taken.clear();
    CHECK(
        shown(set.plan(recipient, is_taken).addresses) ==
        "david@contoso.com david3@contoso.com david@corp.contoso.com");
}

TEST_CASE("Where no number is free the primary stays", "[addressing][plan]") {
    const std::vector policies{default_policy("%m@contoso.com")};
    const auto all_are_taken = [](const EmailAddress&) {
        return true;
    };

    const auto plan = PolicySet(policies, nullptr).plan(david(), all_are_taken);

    CHECK_FALSE(plan.changes);
    CHECK(plan.addresses == david().addresses);
}

TEST_CASE("Reference 4.5: addresses managed by hand are left alone", "[addressing][plan]") {
    const std::vector policies{default_policy("%m@contoso.com")};
    const PolicySet set(policies, nullptr);
    auto recipient = david();
    recipient.address_policy_enabled = false;

    CHECK(set.find(recipient) == nullptr);
    CHECK_FALSE(set.plan(recipient, nothing_is_taken).changes);
    CHECK(set.wanted(recipient).empty());
}

TEST_CASE("Reference 4.5: the primary of a contact is its external address", "[addressing][plan]") {
    const std::vector policies{default_policy("%m@contoso.com")};
    const PolicySet set(policies, nullptr);
    auto contact = david();
    contact.kind = RecipientKind::contact;
    contact.external_address = address("david@fabrikam.com");
    contact.addresses.clear();

    const auto made = set.plan(contact, nothing_is_taken);
    CHECK(made.policy == nullptr);
    CHECK(made.changes);
    CHECK(shown(made.addresses) == "david@fabrikam.com");

    contact.addresses = made.addresses;
    CHECK_FALSE(set.plan(contact, nothing_is_taken).changes);

    contact.addresses = {address("david.at.fabrikam@contoso.com")};
    CHECK(set.plan(contact, nothing_is_taken).policy == &policies.front());
}

TEST_CASE("A new recipient without addresses gets those of its policy", "[addressing][plan]") {
    const std::vector policies{default_policy("%m@contoso.com")};
    auto recipient = david();
    recipient.addresses.clear();

    const auto plan = PolicySet(policies, nullptr).plan(recipient, nothing_is_taken);

    CHECK(plan.changes);
    CHECK(shown(plan.addresses) == "david@contoso.com");
}

TEST_CASE("The precanned filter: one of the kinds and all conditions", "[addressing][plan]") {
    AddressPolicy made;
    CHECK(matches_precanned(made, david()));

    made.included_recipients = {RecipientKind::contact, RecipientKind::group};
    CHECK_FALSE(matches_precanned(made, david()));

    made.included_recipients = {RecipientKind::mailbox};
    made.conditions = {{"department", {"Legal", "sales"}}, {"custom_attribute_3", {"12"}}};
    CHECK(matches_precanned(made, david()));

    made.conditions.push_back({"city", {"Seattle"}});
    CHECK_FALSE(matches_precanned(made, david()));
}

TEST_CASE("A policy may have an expression", "[addressing][plan]") {
    auto testers = policy("Testers", 1, "%m@test.contoso.com");
    testers.recipient_filter = "Alias -like 'test*' -and RecipientType -eq 'UserMailbox'";
    const std::vector policies{testers, default_policy("%m@contoso.com")};
    const PolicySet set(policies, nullptr);
    auto tester = david();
    tester.alias = "test7";

    CHECK(set.find(tester)->name == "Testers");
    CHECK(set.find(david())->is_default());
}

TEST_CASE("Policies that cannot be read are left out and named", "[addressing][plan]") {
    auto bad_filter = policy("Filter", 3, "%m@contoso.com");
    bad_filter.recipient_filter = "Alias -eq";
    auto bad_secondary = policy("Secondary", 2, "%m@contoso.com");
    bad_secondary.secondary_templates = {"%m@contoso.com", "%x@contoso.com"};
    const std::vector policies{
        policy("Primary", 1, "%m"), bad_secondary, bad_filter, default_policy("@contoso.com")};
    std::vector<std::string> problems;

    const PolicySet set(policies, &problems);

    CHECK(problems == std::vector<std::string>{"Primary", "Secondary", "Filter"});
    CHECK(set.find(david())->is_default());
}

namespace {

// A small organization in which many want the same addresses.
struct Generated {
    std::vector<AddressPolicy> policies;
    std::vector<MailRecipient> recipients;
};

template <typename List>
const auto& pick(Random& random, const List& list) {
    return list[random.below(list.size())];
}

AddressPolicy generated_policy(Random& random, std::uint32_t priority) {
    static const std::vector<std::string> kTemplates{
        "%m@a.example",
        "%g.%s@a.example",
        "%1g%s@b.example",
        "%g@a.example",
        "%r._%d@b.example",
        "all@a.example",
        "%s@b.example",
        "@b.example",
        "%g%1s.x@a.example"};
    static const std::vector<std::string> kFilters{
        "", "", "Department -eq 'Sales'", "FirstName -like 'a*'", "RecipientType -ne 'mailbox'"};
    auto made = policy("Policy " + std::to_string(priority), priority, pick(random, kTemplates));
    for (auto more = random.below(4); more > 0; --more) {
        made.secondary_templates.push_back(pick(random, kTemplates));
    }
    made.recipient_filter = pick(random, kFilters);
    if (made.recipient_filter.empty() && random.below(2) == 0) {
        made.conditions = {{"department", {"Sales", "Legal"}}};
    }
    return made;
}

MailRecipient generated_recipient(Random& random, std::size_t number) {
    static const std::vector<std::string> kNames{
        "Ann", "Anna", "Bob", "J\xc3\xb6rg", "", "\xe6\x9d\x8e", "O'Neil", "Ann2"};
    static const std::vector<std::string> kDepartments{"Sales", "Legal", "Support"};
    MailRecipient recipient;
    recipient.name = "r" + std::to_string(number);
    recipient.alias = random.below(3) == 0 ? "ann" : "x" + std::to_string(random.below(50));
    recipient.first_name = pick(random, kNames);
    recipient.last_name = pick(random, kNames);
    recipient.display_name = recipient.first_name + " " + recipient.last_name;
    recipient.attributes["department"] = pick(random, kDepartments);
    recipient.kind = static_cast<RecipientKind>(random.below(3));
    recipient.address_policy_enabled = random.below(10) != 0;
    recipient.addresses = {address("r" + std::to_string(number) + "@first.example")};
    if (recipient.kind == RecipientKind::contact) {
        recipient.external_address =
            random.below(2) == 0 ? recipient.addresses.front() : address("x@elsewhere.example");
    }
    return recipient;
}

Generated generate(std::uint64_t seed) {
    SeededRandom random(seed);
    Generated made;
    const auto policies = static_cast<std::uint32_t>(random.below(4));
    for (std::uint32_t priority = 1; priority <= policies; ++priority) {
        made.policies.push_back(generated_policy(random, priority));
    }
    made.policies.push_back(default_policy("%m@a.example"));
    for (std::size_t number = 0; number < 60; ++number) {
        made.recipients.push_back(generated_recipient(random, number));
    }
    return made;
}

}  // namespace

TEST_CASE("Applying policies again changes nothing, in any organization", "[addressing][plan]") {
    for (std::uint64_t seed = 1; seed <= property_seeds(200); ++seed) {
        CAPTURE(seed);
        auto made = generate(seed);
        const auto before = made.recipients;
        std::vector<std::string> problems;
        const PolicySet set(made.policies, &problems);
        REQUIRE(problems.empty());

        apply(set, made.recipients);

        std::set<std::string> held;
        for (std::size_t i = 0; i < before.size(); ++i) {
            const auto& addresses = made.recipients[i].addresses;
            for (const auto& own : addresses) {
                REQUIRE(held.insert(own.lookup_key()).second);  // nobody has what another has
                REQUIRE(EmailAddress::parse(own.text()).value() == own);
            }
            for (const auto& former : before[i].addresses) {
                REQUIRE(std::count(addresses.begin(), addresses.end(), former) == 1);
            }
            const auto* const policy = set.find(made.recipients[i]);
            if (policy == nullptr) {
                REQUIRE(addresses == before[i].addresses);
            }
        }
        auto again = made.recipients;
        REQUIRE(apply(set, again) == 0);
        std::reverse(again.begin(), again.end());
        REQUIRE(apply(set, again) == 0);
        auto repeated = generate(seed);
        apply(set, repeated.recipients);
        for (std::size_t i = 0; i < before.size(); ++i) {
            REQUIRE(repeated.recipients[i].addresses == made.recipients[i].addresses);
        }
    }
}

}  // namespace mailflow
