#include "transport/org/receive_connector.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <initializer_list>

namespace mailflow {

namespace {

constexpr PermissionSet bits(std::initializer_list<Permission> permissions) noexcept {
    PermissionSet set = 0;
    for (const auto permission : permissions) {
        set = static_cast<PermissionSet>(set | static_cast<PermissionSet>(permission));
    }
    return set;
}

}  // namespace

PermissionSet rights_of(PermissionGroup group) noexcept {
    switch (group) {
        // May claim any sender, our own domains included; lacks any_recipient, so cannot relay.
        case PermissionGroup::anonymous:
            return bits(
                {Permission::submit,
                 Permission::any_sender,
                 Permission::authoritative_domain_sender,
                 Permission::accept_routing_headers});
        // May relay, but lacks any_sender: send-as is checked.
        case PermissionGroup::authenticated:
            return bits(
                {Permission::submit,
                 Permission::any_recipient,
                 Permission::accept_routing_headers});
        case PermissionGroup::partners:
            return bits({Permission::submit, Permission::accept_routing_headers});
        // Reference 2.5, "externally secured": a server's rights without organization headers.
        case PermissionGroup::trusted:
            return bits(
                {Permission::submit,
                 Permission::any_recipient,
                 Permission::any_sender,
                 Permission::authoritative_domain_sender,
                 Permission::bypass_message_size,
                 Permission::accept_routing_headers});
    }
    return 0;
}

namespace {

PermissionSet rights_if(const ReceiveConnector& connector, PermissionGroup group) noexcept {
    return has_group(connector, group) ? rights_of(group) : PermissionSet{0};
}

PermissionSet rights_of_all(const ReceiveConnector& connector) noexcept {
    return static_cast<PermissionSet>(
        connector.permissions | rights_if(connector, PermissionGroup::trusted));
}

}  // namespace

PermissionSet anonymous_rights(const ReceiveConnector& connector) noexcept {
    return static_cast<PermissionSet>(
        rights_of_all(connector) | rights_if(connector, PermissionGroup::anonymous));
}

PermissionSet authenticated_rights(const ReceiveConnector& connector) noexcept {
    return static_cast<PermissionSet>(
        rights_of_all(connector) | rights_if(connector, PermissionGroup::authenticated));
}

PermissionSet partner_rights(const ReceiveConnector& connector) noexcept {
    return static_cast<PermissionSet>(
        anonymous_rights(connector) | rights_if(connector, PermissionGroup::partners));
}

namespace {

enum class BindingMatch : std::uint8_t { none, unspecified, exact };

BindingMatch match_binding(const ReceiveConnector& connector, const Endpoint& local) noexcept {
    auto best = BindingMatch::none;
    for (const auto& binding : connector.bindings) {
        if (binding == local) {
            return BindingMatch::exact;
        }
        const bool same_socket =
            binding.port == local.port && binding.address.is_v4() == local.address.is_v4();
        if (same_socket && binding.address.is_unspecified()) {
            best = BindingMatch::unspecified;
        }
    }
    return best;
}

const IpRange* smallest_range(const ReceiveConnector& connector, const IpAddress& remote) noexcept {
    const IpRange* best = nullptr;
    for (const auto& range : connector.remote_ranges) {
        if (range.contains(remote) && (best == nullptr || range.smaller_than(*best))) {
            best = &range;
        }
    }
    return best;
}

struct Candidate {
    const ReceiveConnector* connector = nullptr;
    const IpRange* range = nullptr;
    BindingMatch binding = BindingMatch::none;
};

// Smaller range; then the binding that names the address; then the name, so that the order of the
// list never matters.
bool is_better(const Candidate& a, const Candidate& b) noexcept {
    if (a.range->smaller_than(*b.range) || b.range->smaller_than(*a.range)) {
        return a.range->smaller_than(*b.range);
    }
    if (a.binding != b.binding) {
        return a.binding > b.binding;
    }
    return ascii::less_ignoring_case(a.connector->name, b.connector->name);
}

}  // namespace

const ReceiveConnector* select_receive_connector(
    std::span<const ReceiveConnector> connectors,
    const Endpoint& local,
    const IpAddress& remote) noexcept {
    Candidate best;
    for (const auto& connector : connectors) {
        if (!connector.enabled) {
            continue;
        }
        const Candidate candidate{
            &connector, smallest_range(connector, remote), match_binding(connector, local)};
        if (candidate.range == nullptr || candidate.binding == BindingMatch::none) {
            continue;
        }
        if (best.connector == nullptr || is_better(candidate, best)) {
            best = candidate;
        }
    }
    return best.connector;
}

}  // namespace mailflow
