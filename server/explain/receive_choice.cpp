#include "server/explain/receive_choice.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <span>

namespace mailflow {

namespace {

constexpr std::uint16_t kSmtpPort = 25;

using Connectors = std::span<const ReceiveConnector>;

const ReceiveConnector* select(
    const Organization& organization, const Endpoint& local, const IpAddress& client) {
    return select_receive_connector(organization.receive_connectors(), local, client);
}

// By asking about it alone.
std::string loss_of(
    const ReceiveConnector& connector,
    const Endpoint& local,
    const IpAddress& client,
    const ReceiveConnector* chosen) {
    if (select_receive_connector(Connectors(&connector, 1), local, client) != nullptr) {
        return chosen->name +
               " comes first: by the smaller range, else by the binding that names the address, "
               "else by name";
    }
    if (!connector.enabled) {
        return "disabled";
    }
    auto open = connector;
    open.remote_ranges = {IpRange::parse(client.is_v4() ? "0.0.0.0/0" : "::/0").value()};
    if (select_receive_connector(Connectors(&open, 1), local, client) == nullptr) {
        return "not bound to " + local.text();
    }
    return "no remote range holds " + client.text();
}

// Bindings to port 25, or all where nobody has one; never empty.
std::vector<Endpoint> usual_doors(const Organization& organization, const IpAddress& client) {
    std::vector<Endpoint> doors;
    std::vector<Endpoint> others;
    for (const auto& connector : organization.receive_connectors()) {
        for (const auto& binding : connector.bindings) {
            if (binding.address.is_v4() == client.is_v4()) {
                (binding.port == kSmtpPort ? doors : others).push_back(binding);
            }
        }
    }
    if (doors.empty()) {
        doors = std::move(others);
    }
    if (doors.empty()) {
        doors.push_back({IpAddress::parse(client.is_v4() ? "0.0.0.0" : "::").value(), kSmtpPort});
    }
    return doors;
}

void choose_by_name(
    const Organization& organization, const IpAddress& client, ReceiveChoice& choice) {
    const auto& named = *choice.connector;
    for (const auto& binding : named.bindings) {
        // Port 0 is a port of its own: nobody else listens there.
        const auto among = binding.port == 0 ? Connectors(&named, 1)
                                             : Connectors(organization.receive_connectors());
        const auto* const chosen = select_receive_connector(among, binding, client);
        choice.local = binding;
        if (chosen == &named) {
            choice.why = "it takes " + client.text() + " at " + binding.text();
            return;
        }
        choice.why = chosen == nullptr ? "named; but it does not take " + client.text() + ": " +
                                             loss_of(named, binding, client, nullptr)
                                       : "named; but at " + binding.text() + " " + client.text() +
                                             " is taken by " + chosen->name;
    }
}

}  // namespace

std::optional<ReceiveChoice> choose_receive_connector(
    const Organization& organization,
    const IpAddress& client,
    const std::string& name,
    const std::optional<Endpoint>& local) {
    ReceiveChoice choice;
    const auto& all = organization.receive_connectors();
    if (!name.empty()) {
        const auto named = std::find_if(all.begin(), all.end(), [&name](const auto& connector) {
            return ascii::equal_ignoring_case(connector.name, name);
        });
        if (named == all.end()) {
            return std::nullopt;
        }
        choice.connector = &*named;
        choose_by_name(organization, client, choice);
        return choice;
    }
    const auto doors = local ? std::vector{*local} : usual_doors(organization, client);
    for (const auto& door : doors) {
        choice.local = door;
        choice.connector = select(organization, door, client);
        if (choice.connector != nullptr) {
            break;
        }
    }
    choice.why = choice.connector == nullptr
                     ? "no enabled connector is bound there with a range that holds the client"
                     : "bound to " + choice.local.text() + ", and the closest range that holds " +
                           client.text();
    for (const auto& connector : all) {
        if (&connector != choice.connector) {
            choice.losers.push_back(
                {connector.name, {}, loss_of(connector, choice.local, client, choice.connector)});
        }
    }
    return choice;
}

}  // namespace mailflow
