#include "config/validation.hpp"

#include "config/address_policy_rules.hpp"
#include "config/address_rewrite_rules.hpp"
#include "config/domain_rules.hpp"
#include "config/object_title.hpp"
#include "config/receive_connector_rules.hpp"
#include "transport/base/ascii.hpp"

#include <algorithm>

namespace mailflow {

using schema::Problem;

namespace {

using Problems = std::vector<Problem>;

// Send connectors.

// Reference 1.2: smart hosts or MX, never both, never neither.
void check_routing(const SendConnector& connector, Problems& problems) {
    const auto object = object_title("send-connector", connector.name);
    if (connector.routing == SendRouting::mx && !connector.smart_hosts.empty()) {
        problems.push_back(
            {object,
             "routing",
             "mx cannot stand together with smart_hosts: set routing to smart-hosts, or take the "
             "smart hosts away"});
    }
    if (connector.routing == SendRouting::smart_hosts && connector.smart_hosts.empty()) {
        problems.push_back(
            {object, "smart_hosts", "routing smart-hosts needs at least one smart host"});
    }
}

void check_source_servers(
    const SendConnector& connector, const NodeSettings& node, Problems& problems) {
    const auto object = object_title("send-connector", connector.name);
    if (connector.source_servers.empty()) {
        problems.push_back(
            {object, "source_servers", "needs at least one node, such as " + node.fqdn});
    }
    for (const auto& server : connector.source_servers) {
        if (!ascii::equal_ignoring_case(server, node.fqdn)) {
            problems.push_back(
                {object, "source_servers", server + " is not a known node: write " + node.fqdn});
        }
    }
}

std::string space_without_cost(const AddressSpace& space) {
    const auto text = space.text();
    return text.substr(0, text.find(';'));
}

void check_address_spaces(const SendConnector& connector, Problems& problems) {
    const auto& spaces = connector.address_spaces;
    for (std::size_t i = 0; i < spaces.size(); ++i) {
        for (std::size_t j = i + 1; j < spaces.size(); ++j) {
            if (space_without_cost(spaces[i]) == space_without_cost(spaces[j])) {
                problems.push_back(
                    {object_title("send-connector", connector.name),
                     "address_spaces",
                     spaces[i].text() + " and " + spaces[j].text() +
                         " are one space with two costs: keep one of them"});
            }
        }
    }
}

}  // namespace

std::vector<Problem> find_problems(const Organization::Parts& parts) {
    Problems problems;
    check_accepted_domains(parts, problems);
    check_receive_connectors(parts, problems);
    for (const auto& connector : parts.send_connectors) {
        check_routing(connector, problems);
        check_source_servers(connector, parts.node, problems);
        check_address_spaces(connector, problems);
    }
    check_address_policies(parts, problems);
    check_address_rewrites(parts, problems);
    check_remote_domains(parts, problems);
    check_system_messages(parts, problems);
    return problems;
}

std::vector<std::string> find_warnings(const Organization::Parts& parts) {
    std::vector<std::string> warnings;
    warn_of_receive_connectors(parts, warnings);
    warn_of_relay_domains(parts, warnings);
    const auto& transport = parts.transport;
    if (transport.delay_dsn_enabled &&
        transport.delay_notification_timeout >= transport.message_expiration_timeout) {
        warnings.emplace_back(
            "delay_notification_timeout is not less than message_expiration_timeout: senders will "
            "never be told of a delay");
    }
    return warnings;
}

}  // namespace mailflow
