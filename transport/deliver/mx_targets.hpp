// Which hosts take a next hop's mail, in the order to try them: MX per RFC 5321 §5, smart hosts as
// the administrator lists them, address literals as written. The look-ups are awaited on the
// caller's lane; ordering and filtering are pure and deterministic for a given Random.
#pragma once

#include "transport/base/ip_range.hpp"
#include "transport/base/random.hpp"
#include "transport/base/task.hpp"
#include "transport/deliver/delivery_decision.hpp"
#include "transport/org/next_hop.hpp"
#include "transport/org/organization.hpp"
#include "transport/org/send_connector.hpp"
#include "transport/ports/resolver.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// MX records that are looked at; the rest, least preferred, is dropped. Postfix's cap for the same
// attack.
constexpr std::size_t kMaxMxRecords = 100;
// Hosts whose addresses are asked for: bounds the DNS work one message can cause.
constexpr std::size_t kMaxResolvedHosts = 20;
// Addresses of one host that are tried.
constexpr std::size_t kMaxAddressesPerHost = 8;
// Addresses tried in one attempt.
constexpr std::size_t kMaxTargets = 20;

// One address to connect to.
struct MailTarget {
    std::string
        host;  // name for TLS, logs and Remote-MTA; the literal with brackets when there is no name
    Endpoint endpoint;
    // What DANE wants to know of the host (RFC 7672 §2.2).
    std::string canonical{};         // where its CNAMEs lead; empty: it is no alias
    bool address_authentic = false;  // its addresses are secure

    friend bool operator==(const MailTarget&, const MailTarget&) = default;
};

struct MxTargets {
    std::vector<MailTarget> targets;     // in the order to try; empty only with `failure`
    std::optional<Judgement> failure;    // fail or retry_hop
    std::optional<OwnFailure> reason{};  // of the failure
    bool mx_authentic = false;           // the answer about MX, also when it was "none", is secure
};

// Who we are and whom we never speak to.
struct TargetRules {
    std::vector<std::string>
        own_names;  // lower case: the node's FQDN and the names connectors announce
    std::vector<IpAddress> own_addresses;  // of our interfaces, and public ones in front of them
    std::vector<Endpoint>
        listeners;  // where we listen; an unspecified address stands for all own ones
    std::vector<IpRange>
        allowed;  // `allow_destinations`: connected to although loopback, private or own
    std::uint16_t port = 25;  // of the send connector
};

// `base` with the names of the organization's node and receive connectors, and the port of the send
// connector.
[[nodiscard]] TargetRules rules_for(
    TargetRules base, const SendConnector& connector, const Organization& organization);

// Hosts of a recipient's domain.
[[nodiscard]] Task<MxTargets> find_mx_targets(
    Resolver& resolver, Random& random, DomainName domain, const TargetRules& rules);

// RFC 5321 §4.1.3: user@[192.0.2.1].
[[nodiscard]] MxTargets literal_target(const IpAddress& address, const TargetRules& rules);

// Smart hosts of a connector, named by the administrator: from a random one on in listed order.
[[nodiscard]] Task<MxTargets> find_smart_host_targets(
    Resolver& resolver,
    Random& random,
    const std::vector<SmartHost>& hosts,
    const TargetRules& rules);

// The one of the three that `hop` stands for: dns (domain or literal) or smart_host.
[[nodiscard]] Task<MxTargets> find_targets(
    Resolver& resolver,
    Random& random,
    const NextHop& hop,
    const SendConnector& connector,
    const TargetRules& rules);

// ---- the pure core

struct HostName {
    std::uint16_t preference = 0;
    std::string name;

    friend bool operator==(const HostName&, const HostName&) = default;
};

struct OrderedHosts {
    std::vector<HostName> hosts;
    bool null_mx = false;      // RFC 7505: the domain takes no mail
    bool own_removed = false;  // our own name was among them; it and what is not better is gone
};

// By preference, equals shuffled; unusable exchanges skipped; our own name and what is not better
// than it removed.
[[nodiscard]] OrderedHosts order_hosts(
    std::vector<MxRecord> records, Random& random, const TargetRules& rules);

enum class AddressUse : std::uint8_t { usable, own, refused };

// A target found through the DNS of a recipient's domain.
[[nodiscard]] AddressUse judge_address(const IpAddress& address, const TargetRules& rules) noexcept;

// IPv6 and IPv4 in turn, IPv6 first, each in the order given, at most kMaxAddressesPerHost.
[[nodiscard]] std::vector<IpAddress> interleave(
    const std::vector<IpAddress>& ipv6, const std::vector<IpAddress>& ipv4);

}  // namespace mailflow
