#include "transport/org/receive_connector.hpp"

#include <catch2/catch.hpp>

#include <initializer_list>
#include <string>
#include <vector>

namespace mailflow {

namespace {

ReceiveConnector connector(
    std::string name,
    std::initializer_list<const char*> bindings,
    std::initializer_list<const char*> ranges) {
    ReceiveConnector result;
    result.name = std::move(name);
    for (const auto* binding : bindings) {
        result.bindings.push_back(Endpoint::parse(binding).value());
    }
    for (const auto* range : ranges) {
        result.remote_ranges.push_back(IpRange::parse(range).value());
    }
    return result;
}

std::string chosen(
    const std::vector<ReceiveConnector>& connectors, const char* local, const char* remote) {
    const auto* result = select_receive_connector(
        connectors, Endpoint::parse(local).value(), IpAddress::parse(remote).value());
    return result != nullptr ? result->name : "none";
}

}  // namespace

TEST_CASE(
    "Fact 7: the connector with the smallest range around the client wins, not the first",
    "[org][receive_connector]") {
    std::vector<ReceiveConnector> connectors;
    connectors.push_back(
        connector("Default", {"0.0.0.0:25", "[::]:25"}, {"0.0.0.0-255.255.255.255", "::/0"}));
    connectors.push_back(connector("Printers", {"0.0.0.0:25"}, {"10.0.0.0/8", "192.168.7.7"}));
    connectors.push_back(connector("One printer", {"0.0.0.0:25"}, {"10.0.0.5"}));
    connectors.push_back(connector("Client", {"0.0.0.0:587"}, {"0.0.0.0/0"}));

    CHECK(chosen(connectors, "192.0.2.1:25", "198.51.100.1") == "Default");
    CHECK(chosen(connectors, "192.0.2.1:25", "10.1.1.1") == "Printers");
    CHECK(chosen(connectors, "192.0.2.1:25", "192.168.7.7") == "Printers");
    CHECK(chosen(connectors, "192.0.2.1:25", "10.0.0.5") == "One printer");
    CHECK(chosen(connectors, "192.0.2.1:587", "10.0.0.5") == "Client");
    CHECK(chosen(connectors, "[2001:db8::1]:25", "2001:db8::9") == "Default");
    CHECK(chosen(connectors, "[2001:db8::1]:587", "2001:db8::9") == "none");
    CHECK(chosen(connectors, "192.0.2.1:2525", "10.0.0.5") == "none");
}

TEST_CASE("A disabled receive connector takes no part", "[org][receive_connector]") {
    std::vector<ReceiveConnector> connectors;
    connectors.push_back(connector("Default", {"0.0.0.0:25"}, {"0.0.0.0/0"}));
    connectors.push_back(connector("Printers", {"0.0.0.0:25"}, {"10.0.0.0/8"}));
    connectors[1].enabled = false;

    CHECK(chosen(connectors, "192.0.2.1:25", "10.1.1.1") == "Default");
}

TEST_CASE(
    "Equal ranges: the binding that names the address wins, then the name",
    "[org][receive_connector]") {
    std::vector<ReceiveConnector> connectors;
    connectors.push_back(connector("b", {"0.0.0.0:25"}, {"0.0.0.0/0"}));
    connectors.push_back(connector("A", {"0.0.0.0:25"}, {"0.0.0.0/0"}));
    connectors.push_back(connector("z", {"192.0.2.1:25"}, {"0.0.0.0/0"}));

    CHECK(chosen(connectors, "192.0.2.1:25", "10.1.1.1") == "z");
    CHECK(chosen(connectors, "192.0.2.2:25", "10.1.1.1") == "A");
}

TEST_CASE(
    "Fact 8: anonymous may claim any sender but not relay; authenticated the other way round",
    "[org][permissions]") {
    const auto anonymous = rights_of(PermissionGroup::anonymous);
    const auto authenticated = rights_of(PermissionGroup::authenticated);
    const auto partners = rights_of(PermissionGroup::partners);
    const auto trusted = rights_of(PermissionGroup::trusted);

    for (const auto group : {anonymous, authenticated, partners, trusted}) {
        CHECK(has(group, Permission::submit));
        CHECK(has(group, Permission::accept_routing_headers));
        CHECK_FALSE(has(group, Permission::accept_organization_headers));
    }
    CHECK(has(anonymous, Permission::any_sender));
    CHECK(has(anonymous, Permission::authoritative_domain_sender));
    CHECK_FALSE(has(anonymous, Permission::any_recipient));
    CHECK_FALSE(has(anonymous, Permission::bypass_message_size));
    CHECK(has(authenticated, Permission::any_recipient));
    CHECK_FALSE(has(authenticated, Permission::any_sender));
    CHECK_FALSE(has(partners, Permission::any_recipient));
    CHECK_FALSE(has(partners, Permission::any_sender));
    CHECK(has(trusted, Permission::any_recipient));
    CHECK(has(trusted, Permission::bypass_message_size));
}

TEST_CASE(
    "An anonymous session has the rights of the group, if admitted, and the single ones",
    "[org][permissions]") {
    ReceiveConnector none;
    ReceiveConnector relay;
    relay.permission_groups = static_cast<std::uint8_t>(PermissionGroup::anonymous);
    relay.permissions = static_cast<PermissionSet>(Permission::any_recipient);
    ReceiveConnector clients;
    clients.permission_groups = static_cast<std::uint8_t>(PermissionGroup::authenticated);

    CHECK(anonymous_rights(none) == 0);
    CHECK(has(anonymous_rights(relay), Permission::submit));
    CHECK(has(anonymous_rights(relay), Permission::any_recipient));
    CHECK(anonymous_rights(clients) == 0);
}

}  // namespace mailflow
