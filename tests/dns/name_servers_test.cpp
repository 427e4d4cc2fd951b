#include "dns/name_servers.hpp"

#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

namespace mailflow::dns {

TEST_CASE("A name server is an address with or without port", "[dns][name-servers]") {
    const struct {
        std::string_view text;
        std::string_view endpoint;
    } good[] = {
        {"192.0.2.1", "192.0.2.1:53"},
        {"127.0.0.1:5353", "127.0.0.1:5353"},
        {"::1", "[::1]:53"},
        {"[::1]", "[::1]:53"},
        {"[2001:db8::1]:5353", "[2001:db8::1]:5353"},
        {" 192.0.2.1 ", "192.0.2.1:53"},
    };

    for (const auto& row : good) {
        INFO(row.text);
        CHECK(parse_name_server(row.text).value().text() == row.endpoint);
    }
    for (const auto* const bad :
         {"", "localhost", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "[::1", "1.2.3"}) {
        INFO(bad);
        CHECK_FALSE(parse_name_server(bad).has_value());
    }
}

TEST_CASE(
    "resolv.conf names its servers in order; other lines do not matter", "[dns][name-servers]") {
    const auto servers = parse_resolv_conf(
        "# a comment\n"
        "domain example.com\n"
        "nameserver 192.0.2.1\n"
        "nameserver\t2001:db8::1 # the other\n"
        "nameserver fe80::1%eth0\n"
        "nameservers 192.0.2.9\n"
        "nameserver\n"
        "options edns0\n"
        "nameserver 192.0.2.2");

    REQUIRE(servers.size() == 3);
    CHECK(servers[0].text() == "192.0.2.1:53");
    CHECK(servers[1].text() == "[2001:db8::1]:53");
    CHECK(servers[2].text() == "192.0.2.2:53");
}

TEST_CASE(
    "Settings come before resolv.conf, and nothing at all means this host", "[dns][name-servers]") {
    DnsSettings settings;
    settings.resolv_conf = "/nonexistent/resolv.conf";

    CHECK(name_servers(settings).value().at(0).text() == "127.0.0.1:53");
    settings.servers = {"192.0.2.1:5353", "192.0.2.2"};
    CHECK(name_servers(settings).value().at(1).text() == "192.0.2.2:53");
    settings.servers.emplace_back("ns.example.com");
    CHECK(name_servers(settings).error() == Error::syntax);
    settings.servers.assign(kMaxNameServers + 1, "192.0.2.1");
    CHECK(name_servers(settings).error() == Error::too_large);
}

TEST_CASE("AD counts only when trust_ad names every server", "[dns][name-servers]") {
    using TrustAd = DnsSettings::TrustAd;
    const auto near = Endpoint::parse("127.0.0.1:53").value();
    const auto also_near = Endpoint::parse("[::1]:53").value();
    const auto far = Endpoint::parse("192.0.2.53:53").value();
    const auto trusts = [](TrustAd trust, std::vector<Endpoint> servers) {
        DnsSettings settings;
        settings.trust_ad = trust;
        settings.trusted = {IpAddress::parse("192.0.2.53").value()};
        return trusts_ad(settings, servers);
    };

    CHECK(trusts(TrustAd::loopback, {near, also_near}));
    CHECK(!trusts(TrustAd::loopback, {near, far}));
    CHECK(trusts(TrustAd::list, {far}));
    CHECK(!trusts(TrustAd::list, {far, near}));
    CHECK(!trusts(TrustAd::none, {near}));
}

}  // namespace mailflow::dns
