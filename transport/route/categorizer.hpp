// Step "route": which next hop takes a resolved recipient, under the configuration of now. Pure and
// deterministic; run again at every attempt, so queued mail follows a configuration change.
#pragma once

#include "transport/mail/delivery_status.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/records/queued_message.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace mailflow {

// Either a next hop (which may be `unreachable`), or a failure of the recipient (all matching
// connectors too small: 5.3.4).
struct RouteDecision {
    NextHop hop;
    std::optional<DeliveryStatus> failure;
};

// `size`: octets of the content as it will be sent.
[[nodiscard]] RouteDecision route_recipient(
    const QueuedRecipient& recipient, std::uint64_t size, const Organization& organization);

struct RoutedGroup {
    NextHop hop;
    std::vector<std::uint32_t> recipients;  // numbers, ascending
};

struct RoutedMessage {
    std::vector<RoutedGroup>
        groups;  // bifurcation: one per next hop, in order of their first recipient
    std::vector<std::pair<std::uint32_t, DeliveryStatus>> failures;
};

// Routes the given recipients of one message.
[[nodiscard]] RoutedMessage route_message(
    const QueuedMessage& message,
    std::span<const std::uint32_t> recipients,
    const Organization& organization);

}  // namespace mailflow
