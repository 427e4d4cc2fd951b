#include "config/validation.hpp"

#include "config/schema/values.hpp"
#include "transport/base/ascii.hpp"

#include <algorithm>

namespace mailflow {

using schema::Problem;

namespace {

using Problems = std::vector<Problem>;

std::string quoted(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

std::string title(std::string_view type, std::string_view name) {
    return std::string(type) + " " + quoted(name);
}

// Receive connectors.

// RFC 5321 §4.5.3.1.5: a reply line has at most 512 octets with its CRLF.
constexpr std::size_t kMaxBannerLength = 510;

void check_banner(const ReceiveConnector& connector, Problems& problems) {
    const auto& banner = connector.banner;
    const bool plain = std::all_of(banner.begin(), banner.end(), [](char c) {
        return !ascii::is_control(c) && static_cast<unsigned char>(c) < 0x80;
    });
    // Reference 2.8: RFC 5321 §4.2 wants the name behind the code.
    const bool legal = banner.starts_with("220 ") && banner.size() > 4 && plain;
    if (!banner.empty() && (!legal || banner.size() > kMaxBannerLength)) {
        problems.push_back(
            {title("receive-connector", connector.name),
             "banner",
             quoted(ascii::escaped(banner.substr(0, 60))) +
                 " is not allowed: write one line of at most 510 ASCII characters that starts with "
                 "\"220 \" and the host's name, or nothing for the usual greeting"});
    }
}

void check_timeouts(const ReceiveConnector& connector, Problems& problems) {
    if (connector.connection_inactivity_timeout >= connector.connection_timeout) {
        problems.push_back(
            {title("receive-connector", connector.name),
             "connection_inactivity_timeout",
             schema::format_duration(connector.connection_inactivity_timeout) +
                 " is not less than connection_timeout, which is " +
                 schema::format_duration(connector.connection_timeout) +
                 ": lower this one or raise the other"});
    }
}

bool is_same(const IpRange& a, const IpRange& b) {
    return a.first() == b.first() && a.last() == b.last();
}

// Port 0 picks a free port, so two of them never meet.
bool is_same_socket(const Endpoint& a, const Endpoint& b) {
    return a.port == b.port && a.port != 0 && a.address.is_v4() == b.address.is_v4();
}

bool share_binding(const Endpoint& a, const Endpoint& b) {
    return is_same_socket(a, b) && a.address == b.address;
}

// One client may reach both: the same address, or one of them stands for all.
bool may_meet(const Endpoint& a, const Endpoint& b) {
    return is_same_socket(a, b) &&
           (a.address == b.address || a.address.is_unspecified() || b.address.is_unspecified());
}

template <class Predicate>
const Endpoint* find_binding(
    const ReceiveConnector& a, const ReceiveConnector& b, Predicate predicate) {
    for (const auto& binding : a.bindings) {
        const bool found =
            std::any_of(b.bindings.begin(), b.bindings.end(), [&](const Endpoint& other) {
                return predicate(binding, other);
            });
        if (found) return &binding;
    }
    return nullptr;
}

// Reference 2.2: ranges of connectors that share a binding are disjoint, or one wholly contains the
// other; the pair of binding and range is unique, else no rule could choose between the two.
void check_ranges(const ReceiveConnector& a, const ReceiveConnector& b, Problems& problems) {
    const auto* meeting = find_binding(a, b, may_meet);
    if (meeting == nullptr) {
        return;
    }
    const auto* shared = find_binding(a, b, share_binding);
    for (const auto& range : a.remote_ranges) {
        for (const auto& other : b.remote_ranges) {
            if (is_same(range, other)) {
                if (shared == nullptr) continue;  // the binding that names the address wins
                problems.push_back(
                    {title("receive-connector", a.name),
                     "remote_ranges",
                     range.text() + " on " + shared->text() + " is already served by " +
                         title("receive-connector", b.name) +
                         ": give one of them another binding or a smaller range"});
            } else if (range.overlaps(other) && !range.contains(other) && !other.contains(range)) {
                problems.push_back(
                    {title("receive-connector", a.name),
                     "remote_ranges",
                     range.text() + " on " + meeting->text() + " overlaps with " + other.text() +
                         " of " + title("receive-connector", b.name) +
                         ": make them disjoint, or let one range contain the other"});
            }
        }
    }
}

void check_receive_connectors(const std::vector<ReceiveConnector>& connectors, Problems& problems) {
    for (std::size_t i = 0; i < connectors.size(); ++i) {
        check_banner(connectors[i], problems);
        check_timeouts(connectors[i], problems);
        for (std::size_t j = i + 1; j < connectors.size(); ++j) {
            check_ranges(connectors[i], connectors[j], problems);
        }
    }
}

// Send connectors.

// Reference 1.2: smart hosts or MX, never both, never neither.
void check_routing(const SendConnector& connector, Problems& problems) {
    const auto object = title("send-connector", connector.name);
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
    const auto object = title("send-connector", connector.name);
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
                    {title("send-connector", connector.name),
                     "address_spaces",
                     spaces[i].text() + " and " + spaces[j].text() +
                         " are one space with two costs: keep one of them"});
            }
        }
    }
}

// Accepted domains.

std::string written(const AcceptedDomain& domain) {
    return (domain.include_subdomains ? "*." : "") + domain.domain.text();
}

// Reference 3.3: exactly one domain is default at any time.
void check_accepted_domains(const std::vector<AcceptedDomain>& domains, Problems& problems) {
    for (std::size_t i = 0; i < domains.size(); ++i) {
        for (std::size_t j = i + 1; j < domains.size(); ++j) {
            if (written(domains[i]) == written(domains[j])) {
                problems.push_back(
                    {title("accepted-domain", domains[j].name),
                     "domain",
                     written(domains[j]) + " is already the domain of " +
                         title("accepted-domain", domains[i].name)});
            }
        }
    }
    const auto defaults = std::count_if(
        domains.begin(), domains.end(), [](const auto& domain) { return domain.is_default; });
    if (defaults != 1) {
        problems.push_back(
            {"accepted-domain",
             "default",
             defaults == 0 ? "no accepted domain would be the default: make another one the "
                             "default first, with accepted-domain set NAME --default true"
                           : "more than one accepted domain would be the default"});
    }
}

// Warnings.

bool takes_mail_from_outside(const ReceiveConnector& connector) {
    const auto rights = anonymous_rights(connector);
    const bool any_outside = std::any_of(
        connector.remote_ranges.begin(), connector.remote_ranges.end(), [](const IpRange& range) {
            const auto is_inside = [](const IpAddress& address) {
                return address.is_loopback() || address.is_private();
            };
            return !is_inside(range.first()) || !is_inside(range.last());
        });
    return connector.enabled && any_outside && has(rights, Permission::submit);
}

void warn_of_open_relay(const ReceiveConnector& connector, std::vector<std::string>& warnings) {
    const bool relays = has(anonymous_rights(connector), Permission::any_recipient);
    if (relays && takes_mail_from_outside(connector)) {
        warnings.push_back(
            title("receive-connector", connector.name) +
            " relays mail of anybody to anybody: narrow its remote_ranges to hosts of your own");
    }
}

}  // namespace

std::vector<Problem> find_problems(const Organization::Parts& parts) {
    Problems problems;
    check_accepted_domains(parts.accepted_domains, problems);
    check_receive_connectors(parts.receive_connectors, problems);
    for (const auto& connector : parts.send_connectors) {
        check_routing(connector, problems);
        check_source_servers(connector, parts.node, problems);
        check_address_spaces(connector, problems);
    }
    return problems;
}

std::vector<std::string> find_warnings(const Organization::Parts& parts) {
    std::vector<std::string> warnings;
    const auto& connectors = parts.receive_connectors;
    if (std::none_of(connectors.begin(), connectors.end(), takes_mail_from_outside)) {
        warnings.emplace_back("no receive connector is left that takes mail from outside");
    }
    for (const auto& connector : connectors)
        warn_of_open_relay(connector, warnings);
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
