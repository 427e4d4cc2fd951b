#include "transport/route/categorizer.hpp"

#include "transport/route/connector_selection.hpp"

#include <string_view>
#include <unordered_map>

namespace mailflow {

namespace {

constexpr std::string_view kMailboxStore = "maildir";

// Reference 1.5, "all too small"; words of reference 10.4.
DeliveryStatus too_large_for_connectors() {
    DeliveryStatus status;
    status.action = DeliveryAction::failed;
    status.status = {5, 3, 4};
    status.diagnostic = "550 5.3.4 Message size exceeds fixed maximum message size";
    return status;
}

NextHop hop_of(const SendConnector& connector, const EmailAddress& address) {
    if (connector.routing == SendRouting::smart_hosts) {
        return {DeliveryType::smart_host, to_text(connector.smart_hosts), connector.name};
    }
    return {DeliveryType::dns, address.domain_text(), connector.name};
}

// The choice is final: when another node has to send, the recipient waits until it can.
NextHop hop_elsewhere(const SendConnector& connector) {
    std::string nodes;
    for (const auto& server : connector.source_servers) {
        nodes += (nodes.empty() ? "" : ",") + server;
    }
    return {DeliveryType::other_node, std::move(nodes), connector.name};
}

// Of a mailbox.
NextHop hop_of(const DeliveryTarget& place) {
    switch (place.kind) {
        case DeliveryTarget::Kind::maildir: break;
        case DeliveryTarget::Kind::lmtp: return {DeliveryType::lmtp, place.place, {}};
        case DeliveryTarget::Kind::smtp: return {DeliveryType::smtp_host, place.place, {}};
    }
    return {DeliveryType::mailbox, std::string(kMailboxStore), {}};
}

// Reports of our own skip size limits: a failure that cannot be reported would be lost.
std::uint64_t size_for_limits(const QueuedMessage& message) {
    const bool own_report =
        message.origin.connector == "DSN" && message.envelope.reverse_path.is_null();
    return own_report ? 0 : message.content.size();
}

}  // namespace

RouteDecision route_recipient(
    const QueuedRecipient& recipient, std::uint64_t size, const Organization& organization) {
    if (recipient.target == RecipientTarget::mailbox) {
        return {hop_of(recipient.place), std::nullopt};
    }
    const auto selection = select_connector(recipient.address.domain_text(), size, organization);
    if (selection.too_large) {
        return {NextHop::unreachable(), too_large_for_connectors()};
    }
    if (selection.chosen == nullptr) {
        return {NextHop::unreachable(), std::nullopt};
    }
    if (!is_source(*selection.chosen, organization.node())) {
        return {hop_elsewhere(*selection.chosen), std::nullopt};
    }
    return {hop_of(*selection.chosen, recipient.address), std::nullopt};
}

RoutedMessage route_message(
    const QueuedMessage& message,
    std::span<const std::uint32_t> recipients,
    const Organization& organization) {
    RoutedMessage routed;
    std::unordered_map<NextHop, std::size_t> group_of;
    const auto size = size_for_limits(message);
    for (const auto number : recipients) {
        auto decision = route_recipient(message.recipients.at(number), size, organization);
        if (decision.failure) {
            routed.failures.emplace_back(number, std::move(*decision.failure));
            continue;
        }
        const auto [entry, is_new] = group_of.try_emplace(decision.hop, routed.groups.size());
        if (is_new) {
            routed.groups.push_back({std::move(decision.hop), {}});
        }
        routed.groups[entry->second].recipients.push_back(number);
    }
    return routed;
}

}  // namespace mailflow
