// How hard a destination may be pressed (`destination-policy`): connections, messages and rates, by
// domain, MX host or send connector. The first that matches, in order of priority, rules; a shipped
// set knows the large providers. Plain data and the matching.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

struct DestinationPolicy {
    std::string name;
    std::uint32_t priority = 0;  // 1 first
    bool enabled = true;
    bool dry_run = false;  // only says what it would have done
    bool shipped = false;  // of the built-in set: behind all others

    // Which destinations; every list that is not empty must match. Patterns as `contoso.com` or
    // `*.contoso.com` (below and itself), lower case.
    std::vector<std::string> domains;     // of recipients
    std::vector<std::string> mx_hosts;    // any host of the destination's set
    std::vector<std::string> connectors;  // names

    // None: as the connector and the organization say.
    std::optional<std::uint32_t> max_connections;
    std::optional<std::uint32_t> max_messages_per_connection;
    std::optional<std::uint32_t> max_recipients_per_message;
    std::optional<std::uint32_t> connection_rate_per_minute;
    std::optional<std::uint32_t> message_rate_per_minute;
    // Replies (a part of the text, or an enhanced status) that mean "slower": the window closes.
    std::vector<std::string> slow_replies;
    std::optional<std::chrono::milliseconds> back_off;  // after one of them

    friend bool operator==(const DestinationPolicy&, const DestinationPolicy&) = default;
};

// `pattern` is a name, or `*.` and one: the name itself and all below. Both in lower case.
[[nodiscard]] bool fits_host_pattern(std::string_view pattern, std::string_view name) noexcept;

// Whether the policy is for this destination, enabled or not. All names in lower case, but
// connectors' as they are written.
[[nodiscard]] bool matches(
    const DestinationPolicy& policy,
    std::string_view domain,
    const std::vector<std::string_view>& hosts,
    std::string_view connector);

}  // namespace mailflow
