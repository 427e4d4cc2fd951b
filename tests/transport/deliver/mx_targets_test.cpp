#include "transport/deliver/mx_targets.hpp"

#include "tests/support/fake_resolver.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/seeded_random.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace mailflow {

namespace {

using Texts = std::vector<std::string>;

// A resolver, a random source and the rules of a host mail.contoso.com at 203.0.113.5 that listens
// on all addresses.
struct World {
    World() {
        rules.own_names = {"mail.contoso.com"};
        rules.own_addresses = {
            IpAddress::parse("203.0.113.5").value(), IpAddress::parse("2001:db8:5::5").value()};
        rules.listeners = {
            Endpoint::parse("0.0.0.0:25").value(), Endpoint::parse("[::]:25").value()};
    }

    MxTargets find(const char* domain) {
        return run_task(
            context, find_mx_targets(resolver, random, DomainName::parse(domain).value(), rules));
    }

    // `host address`, or the status and action of the failure.
    Texts lines(const MxTargets& found) const {
        Texts result;
        for (const auto& target : found.targets) {
            CHECK(target.endpoint.port == rules.port);
            result.push_back(target.host + " " + target.endpoint.address.text());
        }
        if (found.failure) {
            result.push_back(
                (found.failure->verdict == DeliveryVerdict::fail ? "fail " : "retry ") +
                found.failure->status.status.text());
        }
        return result;
    }

    Texts targets(const char* domain) { return lines(find(domain)); }

    Texts smart_hosts(std::initializer_list<const char*> names) {
        std::vector<SmartHost> hosts;
        for (const auto* name : names) {
            hosts.push_back(parse_smart_host(name).value());
        }
        return lines(run_task(context, find_smart_host_targets(resolver, random, hosts, rules)));
    }

    asio::io_context context;
    FakeResolver resolver;
    SeededRandom random{7};
    TargetRules rules;
};

}  // namespace

TEST_CASE(
    "MX hosts come by preference, each with its addresses, families in turn", "[deliver][mx]") {
    World world;
    world.resolver.add_mx("example.org", 20, "mx2.example.org");
    world.resolver.add_mx("example.org", 10, "mx1.example.org");
    world.resolver.add_address("mx1.example.org", "192.0.2.1");
    world.resolver.add_address("mx1.example.org", "192.0.2.2");
    world.resolver.add_address("mx1.example.org", "2001:db8::1");
    world.resolver.add_address("mx2.example.org", "192.0.2.9");

    CHECK(
        world.targets("example.org") == Texts{
                                            "mx1.example.org 2001:db8::1",
                                            "mx1.example.org 192.0.2.1",
                                            "mx1.example.org 192.0.2.2",
                                            "mx2.example.org 192.0.2.9"});
}

TEST_CASE("RFC 5321 5.1: hosts of equal preference are shuffled, fairly", "[deliver][mx]") {
    SeededRandom random(3);
    std::map<std::string, int> first;
    std::set<std::string> orders;

    for (int i = 0; i < 600; ++i) {
        const auto order = order_hosts(
            {{10, "a.example"}, {10, "b.example"}, {10, "c.example"}, {5, "z.example"}},
            random,
            {});
        REQUIRE(order.hosts.size() == 4);
        CHECK(order.hosts[0].name == "z.example");
        ++first[order.hosts[1].name];
        orders.insert(order.hosts[1].name + order.hosts[2].name + order.hosts[3].name);
    }

    CHECK(orders.size() == 6);
    for (const auto& [name, count] : first) {
        INFO(name);
        CHECK(count > 150);
    }
}

TEST_CASE("Without MX records the domain itself is the host", "[deliver][mx]") {
    World world;
    world.resolver.add_address("example.org", "192.0.2.1");
    world.resolver.add_address("example.org", "2001:db8::1");
    world.resolver.add_txt("nothing.example", "a name without a host");

    CHECK(
        world.targets("example.org") == Texts{"example.org 2001:db8::1", "example.org 192.0.2.1"});
    CHECK(world.targets("nothing.example") == Texts{"fail 5.4.4"});
}

TEST_CASE("A domain with MX records never falls back to its own address", "[deliver][mx]") {
    World world;
    world.resolver.add_mx("example.org", 10, "gone.example.org");
    world.resolver.add_address("example.org", "192.0.2.1");

    CHECK(world.targets("example.org") == Texts{"fail 5.4.4"});
}

TEST_CASE("NXDOMAIN fails, SERVFAIL waits, a null MX fails at once", "[deliver][mx]") {
    World world;
    world.resolver.set_status("broken.example", DnsStatus::temporary);
    world.resolver.add_null_mx("silent.example");
    world.resolver.add_address("silent.example", "192.0.2.1");

    CHECK(world.targets("missing.example") == Texts{"fail 5.4.4"});
    CHECK(
        world.find("missing.example").failure->status.diagnostic ==
        "554 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain");
    CHECK(world.targets("broken.example") == Texts{"retry 4.4.3"});
    CHECK(world.targets("silent.example") == Texts{"fail 5.1.10"});
    CHECK(world.resolver.queries().back() == "MX silent.example");
}

TEST_CASE("RFC 7505: a null MX among others means nothing", "[deliver][mx]") {
    World world;
    world.resolver.add_null_mx("example.org");
    world.resolver.add_mx("example.org", 10, "mx.example.org");
    world.resolver.add_address("mx.example.org", "192.0.2.1");

    CHECK(world.targets("example.org") == Texts{"mx.example.org 192.0.2.1"});
}

TEST_CASE("An MX host that cannot be used is skipped, the others serve", "[deliver][mx]") {
    World world;
    world.resolver.add_mx("example.org", 1, "192.0.2.77");
    world.resolver.add_mx("example.org", 2, "bad_name.example.org");
    world.resolver.add_mx("example.org", 3, "missing.example.org");
    world.resolver.add_mx("example.org", 4, "broken.example.org");
    world.resolver.add_mx("example.org", 5, "mx.example.org");
    world.resolver.set_status("broken.example.org", DnsStatus::temporary);
    world.resolver.add_address("mx.example.org", "192.0.2.1");

    CHECK(world.targets("example.org") == Texts{"mx.example.org 192.0.2.1"});
}

TEST_CASE(
    "When no MX host has an address it is temporary as long as one may have", "[deliver][mx]") {
    World world;
    world.resolver.add_mx("example.org", 10, "missing.example.org");
    world.resolver.add_mx("example.org", 20, "broken.example.org");
    world.resolver.set_status("broken.example.org", DnsStatus::temporary);
    world.resolver.add_mx("literals.example", 10, "192.0.2.77");

    CHECK(world.targets("example.org") == Texts{"retry 4.4.3"});
    CHECK(world.targets("literals.example") == Texts{"fail 5.4.4"});
}

TEST_CASE("A CNAME is followed for the domain and, leniently, for an exchange", "[deliver][mx]") {
    World world;
    world.resolver.add_cname("alias.example", "example.org");
    world.resolver.add_mx("example.org", 10, "mx.example.org");
    world.resolver.add_cname("mx.example.org", "real.example.org");
    world.resolver.add_address("real.example.org", "192.0.2.1");

    CHECK(world.targets("alias.example") == Texts{"mx.example.org 192.0.2.1"});
}

TEST_CASE(
    "RFC 5321 5.1: our own host removes itself and all that is not better", "[deliver][mx][loop]") {
    World world;
    world.resolver.add_mx("example.org", 10, "mx1.example.org");
    world.resolver.add_mx("example.org", 20, "MAIL.contoso.com");
    world.resolver.add_mx("example.org", 20, "equal.example.org");
    world.resolver.add_mx("example.org", 30, "worse.example.org");
    world.resolver.add_mx("only-us.example", 10, "mail.contoso.com");
    for (const auto* host :
         {"mx1.example.org", "mail.contoso.com", "equal.example.org", "worse.example.org"}) {
        world.resolver.add_address(host, "192.0.2.1");
    }

    CHECK(world.targets("example.org") == Texts{"mx1.example.org 192.0.2.1"});
    CHECK(world.targets("only-us.example") == Texts{"fail 5.4.6"});
    CHECK(world.targets("mail.contoso.com") == Texts{"fail 5.4.6"});
}

TEST_CASE("Our own address under another name counts as our host", "[deliver][mx][loop]") {
    World world;
    world.resolver.add_mx("example.org", 10, "better.example.org");
    world.resolver.add_mx("example.org", 20, "a-alias.example.org");
    world.resolver.add_mx("example.org", 20, "equal.example.org");
    world.resolver.add_mx("example.org", 30, "worse.example.org");
    world.resolver.add_address("better.example.org", "192.0.2.1");
    world.resolver.add_address("a-alias.example.org", "203.0.113.5");
    world.resolver.add_address("equal.example.org", "192.0.2.2");
    world.resolver.add_address("worse.example.org", "192.0.2.3");
    world.resolver.add_address("us.example", "2001:db8:5::5");

    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        world.random = SeededRandom(seed);
        CHECK(world.targets("example.org") == Texts{"better.example.org 192.0.2.1"});
    }
    CHECK(world.targets("us.example") == Texts{"fail 5.4.6"});
}

TEST_CASE("A loop is not concluded while a better host may come back", "[deliver][mx][loop]") {
    World world;
    world.resolver.add_mx("example.org", 10, "broken.example.org");
    world.resolver.add_mx("example.org", 20, "mail.contoso.com");
    world.resolver.set_status("broken.example.org", DnsStatus::temporary);

    CHECK(world.targets("example.org") == Texts{"retry 4.4.3"});
}

TEST_CASE(
    "Attack case 28: addresses nobody's MX may have are never connected to",
    "[deliver][mx][refused]") {
    World world;
    world.rules.port = 2525;
    for (const auto* address :
         {"127.0.0.1",
          "127.9.9.9",
          "0.0.0.0",
          "10.1.2.3",
          "192.168.0.1",
          "172.16.0.1",
          "169.254.1.1",
          "100.64.0.1",
          "224.0.0.1",
          "::1",
          "::",
          "fd00::1",
          "fe80::1",
          "ff02::1",
          "::ffff:127.0.0.1"}) {
        INFO(address);
        world.resolver.remove("evil.example");
        world.resolver.add_address("evil.example", address);
        CHECK(world.targets("evil.example") == Texts{"fail 5.4.4"});
    }

    world.resolver.add_mx("mixed.example", 10, "evil.example");
    world.resolver.add_mx("mixed.example", 20, "good.example");
    world.resolver.add_address("good.example", "192.0.2.1");
    CHECK(world.targets("mixed.example") == Texts{"good.example 192.0.2.1"});
}

TEST_CASE(
    "An allowed range opens what is refused, but not our own listener", "[deliver][mx][refused]") {
    World world;
    world.resolver.add_address("lab.example", "127.0.0.1");
    world.resolver.add_address("all.example", "0.0.0.0");
    world.rules.allowed = {
        IpRange::parse("127.0.0.0/8").value(), IpRange::parse("0.0.0.0/0").value()};

    CHECK(world.targets("lab.example") == Texts{"fail 5.4.6"});
    world.rules.port = 2525;
    CHECK(world.targets("lab.example") == Texts{"lab.example 127.0.0.1"});
    CHECK(world.targets("all.example") == Texts{"fail 5.4.4"});
    world.rules.listeners.push_back(Endpoint::parse("127.0.0.1:2525").value());
    CHECK(world.targets("lab.example") == Texts{"fail 5.4.6"});
}

TEST_CASE(
    "Attack case 29: a thousand MX records cost a bounded number of look-ups and targets",
    "[deliver][mx][limits]") {
    World world;
    for (int i = 0; i < 1000; ++i) {
        const auto host = "mx" + std::to_string(i) + ".example.org";
        world.resolver.add_mx("example.org", 10, host);
        world.resolver.add_address(
            host, IpAddress::v4(0xc6336400U + static_cast<std::uint32_t>(i)).text());
    }
    world.resolver.add_mx("dead.example", 10, "unused.example");
    for (int i = 0; i < 1000; ++i) {
        world.resolver.add_mx("dead.example", 10, "dead" + std::to_string(i) + ".example");
    }
    for (int i = 0; i < 100; ++i) {
        world.resolver.add_address(
            "many.example", IpAddress::v4(0xc6336400U + static_cast<std::uint32_t>(i)).text());
    }

    CHECK(world.find("example.org").targets.size() == kMaxTargets);
    CHECK(world.resolver.queries().size() <= 1 + 2 * kMaxResolvedHosts);
    world.resolver.forget_queries();
    CHECK(world.targets("dead.example") == Texts{"fail 5.4.4"});
    CHECK(world.resolver.queries().size() <= 1 + 2 * kMaxResolvedHosts);
    CHECK(world.find("many.example").targets.size() == kMaxAddressesPerHost);
}

TEST_CASE("Two hosts at one address are tried once", "[deliver][mx]") {
    World world;
    world.resolver.add_mx("example.org", 10, "a.example.org");
    world.resolver.add_mx("example.org", 20, "b.example.org");
    world.resolver.add_mx("example.org", 30, "a.example.org");
    world.resolver.add_address("a.example.org", "192.0.2.1");
    world.resolver.add_address("b.example.org", "192.0.2.1");

    CHECK(world.targets("example.org") == Texts{"a.example.org 192.0.2.1"});
}

TEST_CASE("An address literal is its own host, under the same rules", "[deliver][mx][literal]") {
    World world;

    CHECK(
        world.lines(literal_target(IpAddress::parse("192.0.2.1").value(), world.rules)) ==
        Texts{"[192.0.2.1] 192.0.2.1"});
    CHECK(
        world.lines(literal_target(IpAddress::parse("2001:db8::1").value(), world.rules)) ==
        Texts{"[IPv6:2001:db8::1] 2001:db8::1"});
    CHECK(
        world.lines(literal_target(IpAddress::parse("10.0.0.1").value(), world.rules)) ==
        Texts{"fail 5.4.4"});
    CHECK(
        world.lines(literal_target(IpAddress::parse("203.0.113.5").value(), world.rules)) ==
        Texts{"fail 5.4.6"});
}

TEST_CASE("Smart hosts start at a random one and go on in order", "[deliver][mx][smart_host]") {
    World world;
    std::map<std::string, int> first;

    for (int i = 0; i < 300; ++i) {
        const auto found = world.smart_hosts({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
        REQUIRE(found.size() == 3);
        ++first[found.front()];
        if (found.front() == "[10.0.0.2] 10.0.0.2") {
            CHECK(found[1] == "[10.0.0.3] 10.0.0.3");
            CHECK(found[2] == "[10.0.0.1] 10.0.0.1");
        }
    }

    CHECK(first.size() == 3);
    for (const auto& [host, count] : first) {
        INFO(host);
        CHECK(count > 60);
    }
}

TEST_CASE("A smart host's name is looked up by address, never by MX", "[deliver][mx][smart_host]") {
    World world;
    world.resolver.add_mx("relay.example", 10, "elsewhere.example");
    world.resolver.add_address("relay.example", "127.0.0.1");
    world.rules.port = 2525;

    CHECK(world.smart_hosts({"relay.example"}) == Texts{"relay.example 127.0.0.1"});
    CHECK(world.resolver.queries() == Texts{"AAAA relay.example", "A relay.example"});
}

TEST_CASE(
    "A smart host without an address waits for its correction; our own listener is a loop",
    "[deliver][mx][smart_host]") {
    World world;
    world.resolver.set_status("broken.example", DnsStatus::temporary);

    CHECK(world.smart_hosts({"missing.example"}) == Texts{"retry 4.4.4"});
    CHECK(world.smart_hosts({"broken.example"}) == Texts{"retry 4.4.3"});
    CHECK(world.smart_hosts({"127.0.0.1"}) == Texts{"fail 5.4.6"});
    CHECK(world.smart_hosts({"203.0.113.5"}) == Texts{"fail 5.4.6"});
    CHECK(world.smart_hosts({"127.0.0.1", "missing.example"}) == Texts{"retry 4.4.4"});
    CHECK(world.smart_hosts({"127.0.0.1", "10.0.0.9"}) == Texts{"[10.0.0.9] 10.0.0.9"});
    CHECK(world.smart_hosts({}) == Texts{"retry 4.4.4"});
}

TEST_CASE("A next hop finds its targets by its kind", "[deliver][mx]") {
    World world;
    world.resolver.add_address("example.org", "192.0.2.1");
    SendConnector connector;
    connector.smart_hosts = {parse_smart_host("10.0.0.1").value()};
    const auto find = [&](const NextHop& hop) {
        return world.lines(run_task(
            world.context,
            find_targets(world.resolver, world.random, hop, connector, world.rules)));
    };

    CHECK(find({DeliveryType::dns, "example.org", "Internet"}) == Texts{"example.org 192.0.2.1"});
    CHECK(find({DeliveryType::dns, "[192.0.2.9]", "Internet"}) == Texts{"[192.0.2.9] 192.0.2.9"});
    CHECK(
        find({DeliveryType::dns, "[IPv6:2001:db8::9]", "Internet"}) ==
        Texts{"[IPv6:2001:db8::9] 2001:db8::9"});
    CHECK(find({DeliveryType::dns, "[x]", "Internet"}) == Texts{"fail 5.4.4"});
    CHECK(find({DeliveryType::smart_host, "[10.0.0.1]", "Relay"}) == Texts{"[10.0.0.1] 10.0.0.1"});
    CHECK_THROWS_AS(find(NextHop::unreachable()), std::logic_error);
}

}  // namespace mailflow
