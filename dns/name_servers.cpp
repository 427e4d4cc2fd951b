#include "dns/name_servers.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace mailflow::dns {

namespace {

constexpr std::uint16_t kDnsPort = 53;

std::string read_whole(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

Result<Endpoint> parse_name_server(std::string_view text) {
    text = ascii::trimmed(text);
    if (const auto address = IpAddress::parse(text)) return Endpoint{*address, kDnsPort};
    if (text.starts_with('[') && text.ends_with(']')) {
        if (const auto address = IpAddress::parse(text.substr(1, text.size() - 2))) {
            return Endpoint{*address, kDnsPort};
        }
        return make_error_code(Error::syntax);
    }
    auto endpoint = Endpoint::parse(text);
    if (!endpoint || endpoint->port == 0) return make_error_code(Error::syntax);
    return endpoint;
}

std::vector<Endpoint> parse_resolv_conf(std::string_view text) {
    constexpr std::string_view kKeyword = "nameserver";
    std::vector<Endpoint> servers;
    for (auto line : ascii::split(text, '\n')) {
        if (!line.starts_with(kKeyword)) continue;
        line.remove_prefix(kKeyword.size());
        if (line.empty() || (line.front() != ' ' && line.front() != '\t')) continue;
        line = ascii::trimmed(line);
        line = line.substr(0, line.find_first_of(" \t#;"));
        // An address with a zone (`fe80::1%eth0`) is none here: c-ares 1.18 cannot ask it.
        const auto address = IpAddress::parse(line);
        if (address && servers.size() < kMaxNameServers)
            servers.push_back(Endpoint{*address, kDnsPort});
    }
    return servers;
}

bool trusts_ad(const DnsSettings& settings, std::span<const Endpoint> servers) noexcept {
    return std::all_of(servers.begin(), servers.end(), [&settings](const Endpoint& server) {
        switch (settings.trust_ad) {
            case DnsSettings::TrustAd::none: return false;
            // What nobody else can have touched on its way.
            case DnsSettings::TrustAd::loopback: return server.address.is_loopback();
            case DnsSettings::TrustAd::list: break;
        }
        return std::find(settings.trusted.begin(), settings.trusted.end(), server.address) !=
               settings.trusted.end();
    });
}

Result<std::vector<Endpoint>> name_servers(const DnsSettings& settings) {
    std::vector<Endpoint> servers;
    if (settings.servers.empty()) {
        servers = parse_resolv_conf(read_whole(settings.resolv_conf));
        if (servers.empty()) servers.push_back(Endpoint{IpAddress::v4(0x7f00'0001), kDnsPort});
        return servers;
    }
    if (settings.servers.size() > kMaxNameServers) return make_error_code(Error::too_large);
    for (const auto& text : settings.servers) {
        const auto server = parse_name_server(text);
        if (!server) return server.error();
        servers.push_back(*server);
    }
    return servers;
}

}  // namespace mailflow::dns
