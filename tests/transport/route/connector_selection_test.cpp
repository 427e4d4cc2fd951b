#include "transport/route/connector_selection.hpp"

#include "tests/transport/route/organization_maker.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace mailflow {

namespace {

constexpr std::uint64_t kMegabyte = 1024ULL * 1024;

// The choice must not depend on the order of the list: all orders are tried.
std::string chosen(
    std::vector<SendConnector> connectors, std::string_view domain, std::uint64_t size = 1000) {
    const auto by_name = [](const SendConnector& a, const SendConnector& b) {
        return a.name < b.name;
    };
    std::sort(connectors.begin(), connectors.end(), by_name);
    std::string result;
    do {
        const auto organization = make_organization(connectors);
        const auto selection = select_connector(domain, size, organization);
        const std::string name = selection.chosen != nullptr ? selection.chosen->name
                                 : selection.too_large       ? "too large"
                                                             : "none";
        if (!result.empty() && result != name) {
            return "depends on the order: " + result + " or " + name;
        }
        result = name;
    } while (std::next_permutation(connectors.begin(), connectors.end(), by_name));
    return result;
}

std::vector<SendConnector> example() {
    return {
        make_send_connector("Everything", {"*;1"}),
        make_send_connector("Partner tree", {"*.fabrikam.com;50"}),
        make_send_connector("Partner", {"fabrikam.com;100"}),
        make_send_connector("Sales", {"*.sales.fabrikam.com;100", "*.com;3"})};
}

}  // namespace

TEST_CASE("Fact 1: the most specific address space wins whatever it costs", "[route][selection]") {
    CHECK(chosen(example(), "fabrikam.com") == "Partner");
    CHECK(chosen(example(), "FABRIKAM.com") == "Partner");
    CHECK(chosen(example(), "mail.fabrikam.com") == "Partner tree");
    CHECK(chosen(example(), "eu.sales.fabrikam.com") == "Sales");
    CHECK(chosen(example(), "contoso-partner.com") == "Sales");
    CHECK(chosen(example(), "example.org") == "Everything");
    CHECK(chosen(example(), "[192.0.2.1]") == "Everything");
}

TEST_CASE(
    "Fact 2: an exact address space does not take a subdomain, a starred one takes its own domain",
    "[route][selection]") {
    CHECK(chosen({make_send_connector("Exact", {"fabrikam.com"})}, "mail.fabrikam.com") == "none");
    CHECK(chosen({make_send_connector("Tree", {"*.fabrikam.com"})}, "fabrikam.com") == "Tree");
}

TEST_CASE(
    "Fact 3: too small connectors go before matching; only if all that match are too small it "
    "fails",
    "[route][selection]") {
    auto connectors = example();
    for (auto& connector : connectors) {
        connector.max_message_size =
            connector.name == "Everything" ? 40 * kMegabyte : 10 * kMegabyte;
    }

    CHECK(chosen(connectors, "fabrikam.com", 10 * kMegabyte) == "Partner");
    CHECK(chosen(connectors, "fabrikam.com", 10 * kMegabyte + 1) == "Everything");
    CHECK(chosen(connectors, "fabrikam.com", 41 * kMegabyte) == "too large");
    connectors[0].max_message_size.reset();
    CHECK(chosen(connectors, "fabrikam.com", 4000 * kMegabyte) == "Everything");
}

TEST_CASE(
    "Fact 4: without a matching connector nothing is chosen and nothing is too large",
    "[route][selection]") {
    auto small_stranger = make_send_connector("Stranger", {"example.net"});
    small_stranger.max_message_size = 1;
    auto small_disabled = make_send_connector("Disabled", {"*"});
    small_disabled.max_message_size = 1;
    small_disabled.enabled = false;

    CHECK(chosen({}, "example.org") == "none");
    CHECK(chosen({small_stranger, small_disabled}, "example.org") == "none");
}

TEST_CASE(
    "Fact 5: equal spaces go by cost, then by this node first, then by name",
    "[route][selection]") {
    auto cheap = make_send_connector("z cheap", {"*;2"});
    auto dear = make_send_connector("a dear", {"*;3"});
    auto remote = make_send_connector("a remote", {"*;2"});
    remote.source_servers = {"other.contoso.com"};
    const auto later = make_send_connector("Zz cheap", {"*;2"});

    CHECK(chosen({cheap, dear}, "example.org") == "z cheap");
    CHECK(chosen({cheap, dear, remote}, "example.org") == "z cheap");
    CHECK(chosen({cheap, later}, "example.org") == "z cheap");
    CHECK(chosen({remote, dear}, "example.org") == "a remote");
}

TEST_CASE("A connector with several matching spaces counts by its best one", "[route][selection]") {
    const auto both = make_send_connector("Both", {"*;1", "fabrikam.com;90", "fabrikam.com;7"});
    const auto one = make_send_connector("One", {"fabrikam.com;8"});

    CHECK(chosen({both, one}, "fabrikam.com") == "Both");
}

TEST_CASE("Disabled connectors and those scoped elsewhere take no part", "[route][selection]") {
    auto disabled = make_send_connector("Disabled", {"fabrikam.com"});
    disabled.enabled = false;
    auto elsewhere = make_send_connector("Elsewhere", {"fabrikam.com"});
    elsewhere.scoped = true;
    elsewhere.source_servers = {"other.contoso.com"};
    auto here = make_send_connector("Here", {"*"});
    here.scoped = true;
    here.source_servers = {"other.contoso.com", "MAIL.contoso.com"};

    CHECK(chosen({disabled, elsewhere, here}, "fabrikam.com") == "Here");
}

TEST_CASE("A scoped connector is for the nodes of its site", "[route][selection][node]") {
    auto scoped = make_send_connector("Scoped", {"fabrikam.com"});
    scoped.scoped = true;
    scoped.source_servers = {"mx2.contoso.com"};
    auto parts = Organization::Parts{};
    parts.node = {"mail.contoso.com", "berlin"};
    parts.nodes = {
        {"mail", "mail.contoso.com", "berlin"},
        {"mx2", "mx2.contoso.com", "berlin"},
        {"mx3", "mx3.contoso.com", "paris"}};
    parts.send_connectors = {scoped};
    auto far = parts;
    far.send_connectors[0].source_servers = {"mx3.contoso.com"};
    auto both = far;
    both.send_connectors[0].source_servers.emplace_back("MX2.contoso.com");
    const auto name_in = [](const Organization::Parts& of) {
        const Organization organization(of);
        const auto* connector = select_connector("fabrikam.com", 1, organization).chosen;
        return connector == nullptr ? std::string() : connector->name;
    };

    CHECK(name_in(parts) == "Scoped");
    CHECK(name_in(far).empty());
    CHECK(name_in(both) == "Scoped");
}

TEST_CASE("This node comes before its site, the site before others", "[route][selection][node]") {
    const auto from = [](const std::string& name, const std::string& server) {
        auto connector = make_send_connector(name, {"*"});
        connector.source_servers = {server};
        return connector;
    };
    auto parts = Organization::Parts{};
    parts.node = {"mail.contoso.com", "berlin"};
    parts.nodes = {{"mx2", "mx2.contoso.com", "berlin"}, {"mx3", "mx3.contoso.com", "paris"}};
    parts.send_connectors = {from("a far", "mx3.contoso.com"), from("b near", "mx2.contoso.com")};
    auto all = parts;
    all.send_connectors.push_back(from("c here", "mail.contoso.com"));
    const Organization near(parts);
    const Organization here(all);

    CHECK(select_connector("fabrikam.com", 1, near).chosen->name == "b near");
    CHECK(select_connector("fabrikam.com", 1, here).chosen->name == "c here");
    CHECK(explain_selection("fabrikam.com", 1, near)[1].loss == LossReason::other_site);
    CHECK(explain_selection("fabrikam.com", 1, here)[2].loss == LossReason::not_local);
}

TEST_CASE("Every candidate that lost says at which step", "[route][selection][explain]") {
    auto disabled = make_send_connector("Disabled", {"fabrikam.com"});
    disabled.enabled = false;
    auto small = make_send_connector("Small", {"fabrikam.com"});
    small.max_message_size = 10;
    auto elsewhere = make_send_connector("Elsewhere", {"fabrikam.com"});
    elsewhere.scoped = true;
    elsewhere.source_servers = {"other.contoso.com"};
    auto remote = make_send_connector("A remote", {"*.fabrikam.com;2"});
    remote.source_servers = {"other.contoso.com"};
    const auto organization = make_organization(
        {make_send_connector("Winner", {"*.fabrikam.com;2"}),
         disabled,
         small,
         elsewhere,
         remote,
         make_send_connector("Stranger", {"example.net"}),
         make_send_connector("Everything", {"*"}),
         make_send_connector("Dear", {"*.fabrikam.com;3"}),
         make_send_connector("Winner two", {"*.fabrikam.com;2"})});

    const auto candidates = explain_selection("fabrikam.com", 1000, organization);

    std::vector<std::string> lines;
    for (const auto& candidate : candidates) {
        lines.push_back(
            candidate.connector->name + ": " +
            (candidate.loss ? to_text(*candidate.loss) : "chosen"));
    }
    const std::vector<std::string> expected = {
        "Winner: chosen",
        "A remote: this node is none of its source servers",
        "Dear: its address space costs more",
        "Disabled: it is disabled",
        "Elsewhere: it is scoped to the site of its source servers, which is another",
        "Everything: its address space is less specific",
        "Small: its maximum message size is smaller than the message",
        "Stranger: none of its address spaces holds the domain",
        "Winner two: its name comes later"};
    CHECK(lines == expected);
    CHECK(candidates.front().address_space == "smtp:*.fabrikam.com;2");
    CHECK(explain_selection("fabrikam.com", 1000, make_organization()).empty());
}

}  // namespace mailflow
