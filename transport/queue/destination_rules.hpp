// How hard one destination may be pressed, as of now: what the destination policies, the send
// connector and the organization say of it, put together. Pure. Asked by QueueManager on the queue
// lane whenever a destination or the configuration is new.
#pragma once

#include "transport/mail/delivery_status.hpp"
#include "transport/org/next_hop.hpp"
#include "transport/org/organization.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

constexpr std::uint32_t kUnlimitedConnections = 100'000;

struct DestinationRules {
    std::uint32_t max_connections = 20;
    std::optional<std::uint32_t> max_messages_per_connection;
    std::optional<std::uint32_t> max_recipients_per_message;
    std::optional<std::uint32_t> connection_rate_per_minute;
    std::optional<std::uint32_t> message_rate_per_minute;
    std::vector<std::string> slow_replies;
    std::optional<Duration> back_off;
    std::string policy;  // whose rules these are; empty: no policy matches

    friend bool operator==(const DestinationRules&, const DestinationRules&) = default;
};

struct HopRules {
    DestinationRules rules;
    // What the first policy that only looks would have said, where it stands before the one that
    // rules.
    std::optional<DestinationRules> dry_run;
    std::uint32_t connector_connections = kUnlimitedConnections;  // of its connector, in all

    friend bool operator==(const HopRules&, const HopRules&) = default;
};

// `hosts`: the destination's host set, joined by commas; empty while it is not known, and then no
// policy that asks for hosts matches.
[[nodiscard]] HopRules rules_of(
    const NextHop& hop, const std::string& hosts, const Organization& organization);

// Some policy may know this next hop by its hosts, which the first attempt finds out.
[[nodiscard]] bool depends_on_hosts(const NextHop& hop, const Organization& organization);

// A reply that means "slower": 421, a temporary one that complains of too much, or one of
// `slow_replies` (a part of the text without case, or an enhanced status).
[[nodiscard]] bool asks_to_slow_down(
    const DeliveryStatus& status, const std::vector<std::string>& slow_replies);

}  // namespace mailflow
