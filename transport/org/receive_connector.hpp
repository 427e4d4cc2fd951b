// Who may talk to us, and how: one receive connector (reference 2.2, 2.5–2.8). Plain data; ranges
// and defaults are the schema's. `select_receive_connector` is the rule of reference 2.2.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/ip_range.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mailflow {

// Reference 2.5. One bit each.
enum class PermissionGroup : std::uint8_t {
    anonymous = 1,
    authenticated = 2,
    partners = 4,
    trusted = 8
};

// Reference 2.6: single rights. One bit each.
enum class Permission : std::uint16_t {
    submit = 1,
    any_recipient = 2,
    any_sender = 4,
    authoritative_domain_sender = 8,
    bypass_message_size = 16,
    accept_routing_headers = 32,
    accept_organization_headers = 64,
};

using PermissionSet = std::uint16_t;

[[nodiscard]] constexpr bool has(PermissionSet set, Permission permission) noexcept {
    return (set & static_cast<PermissionSet>(permission)) != 0;
}

// The rights a group gives (reference 2.5).
[[nodiscard]] PermissionSet rights_of(PermissionGroup group) noexcept;

struct ReceiveConnector {
    std::string name;
    bool enabled = true;
    std::vector<Endpoint> bindings;
    std::vector<IpRange> remote_ranges;
    std::string fqdn;    // empty: the node's FQDN
    std::string banner;  // whole `220 …` line without CRLF; empty: the default banner
    std::uint8_t permission_groups = 0;  // bits of PermissionGroup
    PermissionSet permissions =
        0;  // single rights, given to every session beside those of its groups
    std::optional<std::uint64_t> max_message_size;  // octets; none: unlimited
    std::uint32_t max_recipients_per_message = 200;
    std::optional<std::uint32_t> max_protocol_errors = 5;
    std::optional<std::uint32_t> max_inbound_connection = 5000;
    std::optional<std::uint32_t> max_inbound_connection_per_source = 20;
    std::uint32_t max_inbound_connection_percentage_per_source = 2;
    std::optional<std::uint32_t>
        message_rate_limit;  // messages a minute per source address; none: unlimited
    std::chrono::seconds connection_timeout{600};
    std::chrono::seconds connection_inactivity_timeout{300};
    std::chrono::milliseconds tarpit_interval{5000};
};

// What an anonymous session on this connector may do.
[[nodiscard]] PermissionSet anonymous_rights(const ReceiveConnector& connector) noexcept;

// Among the enabled connectors bound to `local` the one with the smallest range that holds
// `remote`; null when none. A binding to an unspecified address stands for every local address of
// its family.
[[nodiscard]] const ReceiveConnector* select_receive_connector(
    std::span<const ReceiveConnector> connectors,
    const Endpoint& local,
    const IpAddress& remote) noexcept;

}  // namespace mailflow
