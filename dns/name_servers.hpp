// Which name servers to ask: those of the settings (`[dns] servers`), else the system's
// resolv.conf. Read once at start.
#pragma once

#include "dns/limits.hpp"
#include "transport/base/ip_address.hpp"
#include "transport/base/result.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// What the daemon fills from its bootstrap file.
struct DnsSettings {
    std::vector<std::string>
        servers;  // `192.0.2.1`, `127.0.0.1:5353`, `[::1]:53`; empty: resolv.conf
    std::string resolv_conf = "/etc/resolv.conf";
    Duration try_timeout = dns::kTryTimeout;  // one server, first round
    int tries = dns::kTries;                  // rounds over the servers
    Duration query_timeout = dns::kQueryTimeout;

    // Whose AD bit counts, once they have proved that they validate (decisions §2.8): nobody's
    // unless all servers are among them.
    enum class TrustAd : std::uint8_t { loopback, list, none };
    TrustAd trust_ad = TrustAd::loopback;
    std::vector<IpAddress> trusted;  // of `list`
    // Apexes of zones: one that is signed and whose SOA record must have AD, one whose signatures
    // are wrong and that must not be answered.
    std::string probe_secure = "org";
    std::string probe_bogus = "dnssec-failed.org";
};

namespace dns {

// One name server as written by an administrator; port 53 when none is named.
[[nodiscard]] Result<Endpoint> parse_name_server(std::string_view text);

// The `nameserver` lines of resolv.conf(5), at most kMaxNameServers; lines that name no address are
// passed over.
[[nodiscard]] std::vector<Endpoint> parse_resolv_conf(std::string_view text);

// In the order to ask. Error::syntax for a setting that is no address, Error::too_large for more
// than kMaxNameServers. Without any, 127.0.0.1 as resolv.conf(5) says. The file is the system's,
// outside the state directory: it is read directly, once.
[[nodiscard]] Result<std::vector<Endpoint>> name_servers(const DnsSettings& settings);

// `trust_ad` names every one of them.
[[nodiscard]] bool trusts_ad(
    const DnsSettings& settings, std::span<const Endpoint> servers) noexcept;

}  // namespace dns

}  // namespace mailflow
