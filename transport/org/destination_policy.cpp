#include "transport/org/destination_policy.hpp"

#include <algorithm>

namespace mailflow {

namespace {

bool fits_one(const std::vector<std::string>& patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(), [name](const auto& pattern) {
        return fits_host_pattern(pattern, name);
    });
}

}  // namespace

bool fits_host_pattern(std::string_view pattern, std::string_view name) noexcept {
    if (!pattern.starts_with("*.")) {
        return pattern == name;
    }
    const auto below = pattern.substr(1);
    return name == below.substr(1) || (name.size() > below.size() && name.ends_with(below));
}

bool matches(
    const DestinationPolicy& policy,
    std::string_view domain,
    const std::vector<std::string_view>& hosts,
    std::string_view connector) {
    if (!policy.domains.empty() && !fits_one(policy.domains, domain)) {
        return false;
    }
    const bool is_host = std::any_of(hosts.begin(), hosts.end(), [&policy](const auto host) {
        return fits_one(policy.mx_hosts, host);
    });
    if (!policy.mx_hosts.empty() && !is_host) {
        return false;
    }
    return policy.connectors.empty() ||
           std::find(policy.connectors.begin(), policy.connectors.end(), connector) !=
               policy.connectors.end();
}

}  // namespace mailflow
