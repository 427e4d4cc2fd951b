#include "transport/route/categorizer.hpp"

#include "tests/transport/route/organization_maker.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

namespace {

QueuedRecipient recipient(std::uint32_t number, const char* address, const char* mailbox = "") {
    const std::string name = mailbox;
    const auto target = name.empty() ? RecipientTarget::remote : RecipientTarget::mailbox;
    return {
        number,
        target,
        EmailAddress::parse(address).value(),
        address,
        name,
        {},
        {},
        {},
        {},
        {},
        {},
        {}};
}

SendConnector relay_connector() {
    auto connector = make_send_connector("Relay", {"subsidiary.com"});
    connector.routing = SendRouting::smart_hosts;
    connector.smart_hosts = {
        parse_smart_host("[10.0.0.1]").value(), parse_smart_host("relay.subsidiary.com").value()};
    return connector;
}

std::string route(
    const QueuedRecipient& to, const Organization& organization, std::uint64_t size = 1000) {
    const auto decision = route_recipient(to, size, organization);
    return decision.failure ? decision.failure->diagnostic : decision.hop.key();
}

}  // namespace

TEST_CASE(
    "A recipient goes to the next hop that its kind and connector give", "[route][categorizer]") {
    const auto organization =
        make_organization({make_send_connector("Internet", {"*"}), relay_connector()});

    CHECK(route(recipient(0, "alice@contoso.com", "alice"), organization) == "mailbox|maildir|");
    CHECK(route(recipient(0, "bob@example.org"), organization) == "dns|example.org|Internet");
    CHECK(route(recipient(0, "bob@[192.0.2.1]"), organization) == "dns|[192.0.2.1]|Internet");
    CHECK(
        route(recipient(0, "eve@subsidiary.com"), organization) ==
        "smart-host|[10.0.0.1],relay.subsidiary.com|Relay");
}

TEST_CASE(
    "Facts 4 and 6: without a connector mail waits in Unreachable, local mail flows",
    "[route][categorizer]") {
    const auto fresh = make_organization();

    CHECK(route(recipient(0, "bob@example.org"), fresh) == "unreachable||");
    CHECK(route(recipient(0, "eve@hosted.com"), fresh) == "unreachable||");
    CHECK(route(recipient(0, "alice@contoso.com", "alice"), fresh) == "mailbox|maildir|");
}

TEST_CASE(
    "A connector of other source servers is chosen but not used from here",
    "[route][categorizer]") {
    auto elsewhere = make_send_connector("Elsewhere", {"example.org"});
    elsewhere.source_servers = {"other.contoso.com"};
    const auto organization =
        make_organization({elsewhere, make_send_connector("Internet", {"*"})});

    CHECK(
        route(recipient(0, "bob@example.org"), organization) ==
        "other-node|other.contoso.com|Elsewhere");
    CHECK(route(recipient(0, "bob@example.net"), organization) == "dns|example.net|Internet");
}

TEST_CASE(
    "Fact 3: a message too large for every matching connector fails with 5.3.4",
    "[route][categorizer]") {
    auto small = make_send_connector("Small", {"*"});
    small.max_message_size = 1000;
    const auto organization = make_organization({small});

    const auto decision = route_recipient(recipient(0, "bob@example.org"), 1001, organization);

    REQUIRE(decision.failure);
    CHECK(decision.failure->action == DeliveryAction::failed);
    CHECK(decision.failure->status.text() == "5.3.4");
    CHECK_FALSE(route_recipient(recipient(0, "bob@example.org"), 1000, organization).failure);
}

TEST_CASE(
    "One message splits into a group for each next hop, in order of first recipients",
    "[route][categorizer]") {
    auto small = make_send_connector("Small", {"*.example.net"});
    small.max_message_size = 10;
    const auto organization = make_organization(
        {make_send_connector("Internet", {"*.example.org"}), relay_connector(), small});
    QueuedMessage message;
    message.content.body.length = 1000;
    message.recipients = {
        recipient(0, "a@example.org"),
        recipient(1, "alice@contoso.com", "alice"),
        recipient(2, "b@EXAMPLE.org"),
        recipient(3, "c@mail.example.org"),
        recipient(4, "d@example.net"),
        recipient(5, "bob@contoso.com", "bob"),
        recipient(6, "e@nowhere.test"),
        recipient(7, "skipped@example.org")};
    const std::vector<std::uint32_t> open = {0, 1, 2, 3, 4, 5, 6};

    const auto routed = route_message(message, open, organization);

    std::vector<std::pair<std::string, std::vector<std::uint32_t>>> groups;
    for (const auto& group : routed.groups) {
        groups.emplace_back(group.hop.key(), group.recipients);
    }
    const std::vector<std::pair<std::string, std::vector<std::uint32_t>>> expected = {
        {"dns|example.org|Internet", {0, 2}},
        {"mailbox|maildir|", {1, 5}},
        {"dns|mail.example.org|Internet", {3}},
        {"unreachable||", {6}}};
    CHECK(groups == expected);
    REQUIRE(routed.failures.size() == 1);
    CHECK(routed.failures.front().first == 4);
}

TEST_CASE("Our own reports are exempt from the size limits of connectors", "[route][categorizer]") {
    auto small = make_send_connector("Small", {"*"});
    small.max_message_size = 10;
    const auto organization = make_organization({small});
    QueuedMessage message;
    message.content.body.length = 1000;
    message.recipients = {recipient(0, "a@example.org")};
    const std::vector<std::uint32_t> all = {0};

    const auto of_a_client = route_message(message, all, organization);
    message.origin.connector = "DSN";
    const auto of_ours = route_message(message, all, organization);

    CHECK(of_a_client.failures.size() == 1);
    CHECK(of_ours.failures.empty());
}

}  // namespace mailflow
