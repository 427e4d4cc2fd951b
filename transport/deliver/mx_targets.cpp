#include "transport/deliver/mx_targets.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace mailflow {

// ---- the pure core

namespace {

bool is_own_name(std::string_view name, const TargetRules& rules) {
    return std::any_of(
        rules.own_names.begin(), rules.own_names.end(), [name](const std::string& own) {
            return ascii::equal_ignoring_case(own, name);
        });
}

// RFC 5321 §5.1, RFC 1035 §3.3.9: an exchange is a domain name. Addresses written there are a
// common mistake; no resolver would find them.
bool is_usable_exchange(std::string_view name) {
    return !IpAddress::parse(name) && DomainName::parse(name).has_value();
}

void shuffle_equals(std::vector<HostName>& hosts, Random& random) {
    // RFC 5321 §5.1: "If there are multiple destinations with the same preference … the sender-SMTP
    // MUST randomize them".
    for (auto first = hosts.begin(); first != hosts.end();) {
        const auto last = std::find_if(first, hosts.end(), [first](const HostName& host) {
            return host.preference != first->preference;
        });
        for (auto left = last - first; left > 1; --left) {
            const auto pick = random.below(static_cast<std::uint64_t>(left));
            std::iter_swap(first + (left - 1), first + static_cast<std::ptrdiff_t>(pick));
        }
        first = last;
    }
}

bool by_preference_and_name(const HostName& a, const HostName& b) {
    return a.preference != b.preference ? a.preference < b.preference : a.name < b.name;
}

// A name listed twice counts at its best preference.
void remove_duplicates(std::vector<HostName>& hosts) {
    std::vector<HostName> unique;
    for (auto& host : hosts) {
        const bool known =
            std::any_of(unique.begin(), unique.end(), [&host](const HostName& other) {
                return other.name == host.name;
            });
        if (!known) {
            unique.push_back(std::move(host));
        }
    }
    hosts = std::move(unique);
}

bool is_listener(const IpAddress& address, const TargetRules& rules) {
    const bool ours = address.is_loopback() ||
                      std::find(rules.own_addresses.begin(), rules.own_addresses.end(), address) !=
                          rules.own_addresses.end();
    return std::any_of(
        rules.listeners.begin(), rules.listeners.end(), [&](const Endpoint& listener) {
            if (listener.port != rules.port || listener.address.is_v4() != address.is_v4()) {
                return false;
            }
            return listener.address == address || (listener.address.is_unspecified() && ours);
        });
}

}  // namespace

OrderedHosts order_hosts(std::vector<MxRecord> records, Random& random, const TargetRules& rules) {
    OrderedHosts result;
    if (records.size() == 1 && records.front().exchange.empty()) {
        // RFC 7505 §3: one record with the root as exchange. Among others it means nothing and is
        // skipped below.
        result.null_mx = true;
        return result;
    }
    for (auto& record : records) {
        if (is_usable_exchange(record.exchange)) {
            result.hosts.push_back({record.preference, std::move(record.exchange)});
        }
    }
    std::sort(result.hosts.begin(), result.hosts.end(), by_preference_and_name);
    remove_duplicates(result.hosts);

    // RFC 5321 §5.1: "If our own name is in the list, all MX records at that preference level and
    // higher-numbered ones MUST be discarded".
    const auto own =
        std::find_if(result.hosts.begin(), result.hosts.end(), [&rules](const HostName& host) {
            return is_own_name(host.name, rules);
        });
    if (own != result.hosts.end()) {
        const auto preference = own->preference;
        result.own_removed = true;
        std::erase_if(result.hosts, [preference](const HostName& host) {
            return host.preference >= preference;
        });
    }
    shuffle_equals(result.hosts, random);
    if (result.hosts.size() > kMaxMxRecords) {
        result.hosts.erase(result.hosts.begin() + kMaxMxRecords, result.hosts.end());
    }
    return result;
}

AddressUse judge_address(const IpAddress& address, const TargetRules& rules) noexcept {
    // A connection to 0.0.0.0 or :: ends at this very host; no range makes that an intention.
    if (address.is_unspecified()) {
        return AddressUse::refused;
    }
    if (is_listener(address, rules)) {
        return AddressUse::own;
    }
    if (any_contains(rules.allowed, address)) {
        return AddressUse::usable;
    }
    if (std::find(rules.own_addresses.begin(), rules.own_addresses.end(), address) !=
        rules.own_addresses.end()) {
        return AddressUse::own;
    }
    const bool refused = address.is_loopback() || address.is_private() || address.is_multicast();
    return refused ? AddressUse::refused : AddressUse::usable;
}

std::vector<IpAddress> interleave(
    const std::vector<IpAddress>& ipv6, const std::vector<IpAddress>& ipv4) {
    // RFC 5321 §5.1: addresses of one host are tried in the order the resolver gives; RFC 8305 §4:
    // families in turn, so that one of them without a route costs one failure and not all of the
    // attempt.
    std::vector<IpAddress> all;
    for (std::size_t i = 0; i < std::max(ipv6.size(), ipv4.size()); ++i) {
        if (i < ipv6.size()) {
            all.push_back(ipv6[i]);
        }
        if (i < ipv4.size()) {
            all.push_back(ipv4[i]);
        }
    }
    if (all.size() > kMaxAddressesPerHost) {
        all.resize(kMaxAddressesPerHost);
    }
    return all;
}

// ---- look-ups

namespace {

MxTargets failed(OwnFailure failure, std::string_view detail = {}) {
    return {{}, judge_own(failure, detail), failure};
}

struct HostAddresses {
    std::vector<IpAddress> addresses;
    bool temporary = false;
    std::string detail;
    std::string canonical{};
    bool authentic = false;
};

Task<HostAddresses> find_addresses(Resolver& resolver, const DomainName& name) {
    auto look_up = resolver.find_ipv6(name);
    const auto ipv6 = co_await std::move(look_up);
    auto second_look_up = resolver.find_ipv4(name);
    const auto ipv4 = co_await std::move(second_look_up);

    HostAddresses result;
    result.addresses = interleave(ipv6.records, ipv4.records);
    result.canonical = ipv6.canonical_name.empty() ? ipv4.canonical_name : ipv6.canonical_name;
    // A family without addresses does not matter to what is connected to.
    result.authentic = (ipv6.records.empty() || ipv6.authentic) &&
                       (ipv4.records.empty() || ipv4.authentic) && !result.addresses.empty();
    // One family is enough to go on with; without any, half an answer proves nothing.
    if (result.addresses.empty()) {
        for (const auto* answer : {&ipv6, &ipv4}) {
            if (answer->status == DnsStatus::temporary) {
                result.temporary = true;
                result.detail = answer->detail;
            }
        }
    }
    co_return result;
}

// Targets as they are found, and why candidates fell.
class Collector {
  public:
    explicit Collector(const TargetRules& rules) noexcept
        : rules_(rules) {}

    void add(
        std::uint16_t preference,
        const std::string& host,
        const HostAddresses& of,
        const IpAddress& address) {
        const Endpoint endpoint{address, rules_.port};
        const bool known =
            std::any_of(found_.begin(), found_.end(), [&endpoint](const Found& other) {
                return other.target.endpoint == endpoint;
            });
        if (!known) {
            found_.push_back({preference, {host, endpoint, of.canonical, of.authentic}});
        }
    }

    void add_unresolved(const HostAddresses& host) {
        if (host.temporary) {
            temporary = true;
            detail = host.detail;
        } else {
            unresolved = true;
        }
    }

    // RFC 5321 §5.1 again, for a host of another name with an address of ours.
    void remove_from(std::uint16_t preference) {
        std::erase_if(
            found_, [preference](const Found& found) { return found.preference >= preference; });
    }

    [[nodiscard]] std::size_t size() const noexcept { return found_.size(); }

    [[nodiscard]] std::vector<MailTarget> take() {
        std::vector<MailTarget> targets;
        for (auto& found : found_) {
            if (targets.size() < kMaxTargets) {
                targets.push_back(std::move(found.target));
            }
        }
        return targets;
    }

    bool own = false;
    bool refused = false;
    bool unresolved = false;
    bool temporary = false;
    std::string detail;  // of the temporary failure

  private:
    struct Found {
        std::uint16_t preference = 0;
        MailTarget target;
    };

    const TargetRules& rules_;
    std::vector<Found> found_;
};

// False: an address of ours was met; this host and what is not better is gone.
bool add_mx_host(
    Collector& collector,
    const HostName& host,
    const HostAddresses& found,
    const TargetRules& rules) {
    if (found.addresses.empty()) {
        // An MX host that cannot be resolved is skipped, the others are used (reference 1.8,
        // "lenient").
        collector.add_unresolved(found);
        return true;
    }
    for (const auto& address : found.addresses) {
        switch (judge_address(address, rules)) {
            case AddressUse::usable:
                collector.add(host.preference, host.name, found, address);
                break;
            case AddressUse::refused: collector.refused = true; break;
            case AddressUse::own:
                collector.own = true;
                collector.remove_from(host.preference);
                return false;
        }
    }
    return true;
}

MxTargets mx_result(Collector& collector) {
    auto targets = collector.take();
    if (!targets.empty()) {
        return {std::move(targets), std::nullopt};
    }
    // A better host may come back: nothing permanent follows while one is unknown.
    if (collector.temporary) {
        return failed(OwnFailure::dns_temporary, collector.detail);
    }
    if (collector.own) {
        return failed(OwnFailure::mx_loopback);
    }
    return failed(collector.refused ? OwnFailure::refused_targets : OwnFailure::no_hosts);
}

}  // namespace

Task<MxTargets> find_mx_targets(
    Resolver& resolver, Random& random, DomainName domain, const TargetRules& rules) {
    auto look_up = resolver.find_mx(domain);
    auto answer = co_await std::move(look_up);
    if (answer.status == DnsStatus::temporary) {
        co_return failed(OwnFailure::dns_temporary, answer.detail);
    }
    if (answer.status == DnsStatus::no_such_name) {
        co_return failed(OwnFailure::nonexistent_domain);
    }
    if (answer.status == DnsStatus::no_such_data) {
        // RFC 5321 §5.1: without MX records the domain itself is treated as an MX of preference 0.
        answer.records.assign(1, MxRecord{0, domain.text()});
    }
    const auto order = order_hosts(std::move(answer.records), random, rules);
    if (order.null_mx) {
        co_return failed(OwnFailure::null_mx);
    }

    Collector collector(rules);
    collector.own = order.own_removed;
    std::size_t resolved = 0;
    std::uint16_t preference = 0;
    for (const auto& host : order.hosts) {
        const bool enough = collector.size() >= kMaxTargets && host.preference != preference;
        if (enough || resolved == kMaxResolvedHosts) {
            break;
        }
        ++resolved;
        preference = host.preference;
        const auto name = DomainName::parse(host.name).value();
        auto host_look_up = find_addresses(resolver, name);
        const auto found = co_await std::move(host_look_up);
        if (!add_mx_host(collector, host, found, rules)) {
            break;
        }
    }
    auto result = mx_result(collector);
    result.mx_authentic = answer.authentic;
    co_return result;
}

MxTargets literal_target(const IpAddress& address, const TargetRules& rules) {
    Collector collector(rules);
    const HostName host{0, address.literal()};
    const HostAddresses found{{address}, false, {}};
    add_mx_host(collector, host, found, rules);
    return mx_result(collector);
}

Task<MxTargets> find_smart_host_targets(
    Resolver& resolver,
    Random& random,
    const std::vector<SmartHost>& hosts,
    const TargetRules& rules) {
    Collector collector(rules);
    const std::size_t start = hosts.empty() ? 0 : random.below(hosts.size());
    for (std::size_t i = 0; i < hosts.size() && collector.size() < kMaxTargets; ++i) {
        const auto& host = hosts[(start + i) % hosts.size()];
        HostAddresses found;
        if (const auto* address = std::get_if<IpAddress>(&host)) {
            found.addresses.push_back(*address);
        } else {
            auto look_up = find_addresses(resolver, std::get<DomainName>(host));
            found = co_await std::move(look_up);
        }
        if (found.addresses.empty()) {
            collector.add_unresolved(found);
        }
        for (const auto& address : found.addresses) {
            // Named by the administrator: loopback and private addresses are his intention, our own
            // listeners are not.
            if (is_listener(address, rules) || address.is_unspecified()) {
                collector.own = true;
            } else {
                collector.add(0, to_text(host), found, address);
            }
        }
    }
    auto targets = collector.take();
    if (!targets.empty()) {
        co_return MxTargets{std::move(targets), std::nullopt};
    }
    if (collector.temporary) {
        co_return failed(OwnFailure::dns_temporary, collector.detail);
    }
    co_return failed(
        collector.own && !collector.unresolved ? OwnFailure::smart_host_is_self
                                               : OwnFailure::smart_host_unresolved);
}

namespace {

// The domain of a recipient `user@[192.0.2.1]` or `user@[IPv6:2001:db8::1]`, brackets included.
Result<IpAddress> parse_literal(std::string_view text) {
    constexpr std::string_view kIpv6Tag = "IPv6:";
    text.remove_prefix(1);
    if (!text.empty() && text.back() == ']') {
        text.remove_suffix(1);
    }
    if (ascii::starts_with_ignoring_case(text, kIpv6Tag)) {
        text.remove_prefix(kIpv6Tag.size());
    }
    return IpAddress::parse(text);
}

}  // namespace

Task<MxTargets> find_targets(
    Resolver& resolver,
    Random& random,
    const NextHop& hop,
    const SendConnector& connector,
    const TargetRules& rules) {
    if (hop.type == DeliveryType::smart_host) {
        auto search = find_smart_host_targets(resolver, random, connector.smart_hosts, rules);
        auto targets = co_await std::move(search);
        co_return targets;
    }
    if (hop.type != DeliveryType::dns) {
        throw std::logic_error("find_targets: " + hop.key() + " is not reached over the network");
    }
    if (hop.domain.starts_with('[')) {
        const auto address = parse_literal(hop.domain);
        co_return address ? literal_target(*address, rules) : failed(OwnFailure::no_hosts);
    }
    const auto domain = DomainName::parse(hop.domain);
    if (!domain) {
        co_return failed(OwnFailure::nonexistent_domain);
    }
    auto search = find_mx_targets(resolver, random, *domain, rules);
    auto targets = co_await std::move(search);
    co_return targets;
}

TargetRules rules_for(
    TargetRules base, const SendConnector& connector, const Organization& organization) {
    base.port = connector.port;
    base.own_names.push_back(ascii::to_lower(organization.node().fqdn));
    for (const auto& receive : organization.receive_connectors()) {
        if (!receive.fqdn.empty()) {
            base.own_names.push_back(ascii::to_lower(receive.fqdn));
        }
    }
    return base;
}

}  // namespace mailflow
