#include "transport/queue/destination_rules.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <array>

namespace mailflow {

namespace {

// What hosts say that take mail, but less of it at a time. In lower case.
constexpr std::array<std::string_view, 7> kComplaints = {
    "too many",
    "too fast",
    "too much",
    "rate limit",
    "throttl",
    "slow down",
    "server busy",
};

bool contains_ignoring_case(std::string_view text, std::string_view part) {
    const auto found =
        std::search(text.begin(), text.end(), part.begin(), part.end(), [](char a, char b) {
            return ascii::to_lower(a) == ascii::to_lower(b);
        });
    return found != text.end();
}

DestinationRules with_policy(DestinationRules rules, const DestinationPolicy& policy) {
    rules.max_connections = policy.max_connections.value_or(rules.max_connections);
    rules.max_messages_per_connection = policy.max_messages_per_connection;
    rules.max_recipients_per_message = policy.max_recipients_per_message;
    rules.connection_rate_per_minute = policy.connection_rate_per_minute;
    rules.message_rate_per_minute = policy.message_rate_per_minute;
    rules.slow_replies = policy.slow_replies;
    rules.back_off = policy.back_off;
    rules.policy = policy.name;
    return rules;
}

bool is_outbound(const NextHop& hop) noexcept {
    return hop.type == DeliveryType::dns || hop.type == DeliveryType::smart_host;
}

}  // namespace

HopRules rules_of(const NextHop& hop, const std::string& hosts, const Organization& organization) {
    HopRules found;
    if (!is_outbound(hop)) {
        return found;
    }
    const auto* const connector = organization.find_send_connector(hop.connector);
    const auto& transport = organization.transport();
    auto connections = transport.max_per_domain_outbound_connections;
    if (connector != nullptr) {
        connections = connector->max_per_domain_outbound_connections
                          ? connector->max_per_domain_outbound_connections
                          : connections;
        found.connector_connections =
            connector->max_outbound_connections.value_or(kUnlimitedConnections);
    }
    found.rules.max_connections = connections.value_or(kUnlimitedConnections);

    const auto names = hosts.empty() ? std::vector<std::string_view>() : ascii::split(hosts, ',');
    const auto domain =
        hop.type == DeliveryType::dns ? std::string_view(hop.domain) : std::string_view();
    const auto general = found.rules;
    for (const auto& policy : organization.destination_policies()) {
        if (!policy.enabled || !matches(policy, domain, names, hop.connector)) {
            continue;
        }
        if (!policy.dry_run) {
            found.rules = with_policy(general, policy);
            break;
        }
        if (!found.dry_run) {
            found.dry_run = with_policy(general, policy);
        }
    }
    return found;
}

bool depends_on_hosts(const NextHop& hop, const Organization& organization) {
    const auto& policies = organization.destination_policies();
    return hop.type == DeliveryType::dns &&
           std::any_of(policies.begin(), policies.end(), [](const auto& policy) {
               return policy.enabled && !policy.dry_run && !policy.mx_hosts.empty();
           });
}

bool asks_to_slow_down(const DeliveryStatus& status, const std::vector<std::string>& slow_replies) {
    const std::string_view words = status.diagnostic;
    const bool is_listed =
        std::any_of(slow_replies.begin(), slow_replies.end(), [&](const auto& reply) {
            const auto code = EnhancedStatus::parse(reply);
            return code ? *code == status.status : contains_ignoring_case(words, reply);
        });
    if (is_listed) {
        return true;
    }
    if (status.action != DeliveryAction::delayed || !status.by_remote) {
        return false;
    }
    // RFC 5321 §3.8: 421 closes the channel, mostly because the host is pressed too hard.
    return words.starts_with("421") ||
           std::any_of(kComplaints.begin(), kComplaints.end(), [words](const auto complaint) {
               return contains_ignoring_case(words, complaint);
           });
}

}  // namespace mailflow
