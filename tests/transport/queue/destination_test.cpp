#include "transport/queue/destination.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonotonicTime kStart{std::chrono::hours(1)};

HopRules rules(std::uint32_t connections) {
    HopRules made;
    made.rules.max_connections = connections;
    return made;
}

DeliveryStatus reply(std::string words, DeliveryAction action = DeliveryAction::delayed) {
    DeliveryStatus status;
    status.action = action;
    status.by_remote = true;
    status.diagnostic = std::move(words);
    return status;
}

// ---- token bucket

TEST_CASE("a rate lets a tenth of a minute pass at once and then one by one", "[queue][shape]") {
    TokenBucket bucket(60, kStart);

    for (int i = 0; i < 10; ++i) {
        REQUIRE(bucket.has_token(kStart));
        bucket.take(kStart);
    }
    CHECK_FALSE(bucket.has_token(kStart));
    CHECK(bucket.next_token(kStart) == kStart + seconds(1));
    CHECK_FALSE(bucket.has_token(kStart + milliseconds(999)));
    CHECK(bucket.has_token(kStart + seconds(1)));
}

TEST_CASE("a rate of one a minute is one a minute", "[queue][shape]") {
    TokenBucket bucket(1, kStart);
    bucket.take(kStart);

    CHECK_FALSE(bucket.has_token(kStart + seconds(59)));
    CHECK(bucket.has_token(kStart + seconds(60)));
    CHECK(bucket.next_token(kStart) == kStart + seconds(60));
}

TEST_CASE("what is not used of a rate is not saved up without end", "[queue][shape]") {
    TokenBucket bucket(60, kStart);
    const auto later = kStart + std::chrono::hours(5);

    for (int i = 0; i < 10; ++i) {
        bucket.take(later);
    }

    CHECK_FALSE(bucket.has_token(later));
    bucket.give_back();
    CHECK(bucket.has_token(later));
}

// ---- window

TEST_CASE("a destination's window keeps to its rules, also when they change", "[queue][shape]") {
    Destination destination("mx.example", rules(8), 5, 1000, kStart);
    for (int i = 0; i < 20; ++i) {
        destination.on_success();
    }
    CHECK(destination.window() == 8);

    destination.set_rules(rules(2), kStart);
    CHECK(destination.window() == 2);
    destination.set_rules(rules(8), kStart);
    CHECK(destination.window() == 8);
}

TEST_CASE("a destination that is full holds the next attempt", "[queue][shape]") {
    Destination destination("mx.example", rules(2), 5, 1000, kStart);
    destination.on_started(kStart);
    CHECK(destination.held_by(kStart) == HeldBy::nothing);

    destination.on_started(kStart);
    CHECK(destination.held_by(kStart) == HeldBy::window);
    CHECK_FALSE(destination.free_at(kStart));

    destination.on_ended();
    CHECK(destination.held_by(kStart) == HeldBy::nothing);
}

TEST_CASE(
    "one round of complaints halves the window once, and it recovers slowly", "[queue][shape]") {
    Destination destination("mx.example", rules(16), 16, 1000, kStart);
    const auto begun = destination.narrowings();

    CHECK(destination.on_slow_down(begun));
    CHECK_FALSE(destination.on_slow_down(begun));
    CHECK(destination.window() == 8);
    CHECK(destination.on_slow_down(destination.narrowings()));
    CHECK(destination.window() == 4);

    for (int i = 0; i < 4; ++i) {
        destination.on_success();
    }
    CHECK(destination.window() == 4);
    destination.on_success();
    CHECK(destination.window() == 5);
}

TEST_CASE("a destination's rates and pauses say when they end", "[queue][shape]") {
    auto limited = rules(20);
    limited.rules.message_rate_per_minute = 6;
    Destination destination("mx.example", limited, 5, 1000, kStart);
    destination.on_started(kStart);
    CHECK(destination.held_by(kStart) == HeldBy::rate);
    CHECK(destination.free_at(kStart) == kStart + seconds(10));

    destination.pause_until(kStart + seconds(30));
    CHECK(destination.held_by(kStart) == HeldBy::back_off);
    CHECK(destination.free_at(kStart) == kStart + seconds(30));
    CHECK(destination.held_by(kStart + seconds(30)) == HeldBy::nothing);
}

TEST_CASE("an attempt over an open connection costs no connection", "[queue][shape]") {
    auto limited = rules(20);
    limited.rules.connection_rate_per_minute = 6;
    Destination destination("mx.example", limited, 5, 1000, kStart);
    destination.on_started(kStart);
    REQUIRE(destination.held_by(kStart) == HeldBy::rate);

    destination.on_no_connection();

    CHECK(destination.held_by(kStart) == HeldBy::nothing);
}

TEST_CASE("a policy that only looks holds nothing and knows what it would", "[queue][shape]") {
    auto looked_at = rules(20);
    looked_at.dry_run = rules(1).rules;
    Destination destination("mx.example", looked_at, 5, 1000, kStart);
    CHECK(destination.held_dry(kStart) == HeldBy::nothing);

    destination.on_started(kStart);

    CHECK(destination.held_by(kStart) == HeldBy::nothing);
    CHECK(destination.held_dry(kStart) == HeldBy::window);
}

// ---- replies

TEST_CASE("replies that ask for less are told from those about one message", "[queue][shape]") {
    const std::vector<std::string> listed = {"4.2.1", "come back later"};
    for (const auto* words :
         {"421 4.7.0 Try again later, closing connection",
          "450 4.3.2 Too many connections from your host",
          "451 4.7.500 Server busy. Please try again later from [192.0.2.1]",
          "452 4.1.1 you are sending too fast",
          "451 please Come Back Later"}) {
        INFO(words);
        CHECK(asks_to_slow_down(reply(words), listed));
    }
    auto by_code = reply("450 4.2.1 The user is receiving mail too quickly");
    by_code.status = EnhancedStatus{4, 2, 1};
    CHECK(asks_to_slow_down(by_code, listed));
    CHECK_FALSE(asks_to_slow_down(by_code, {}));

    for (const auto* words :
         {"450 4.7.1 Greylisted, try again in 300 seconds",
          "452 4.2.2 Mailbox full",
          "451 4.3.0 Local error"}) {
        INFO(words);
        CHECK_FALSE(asks_to_slow_down(reply(words), listed));
    }
    CHECK_FALSE(
        asks_to_slow_down(reply("250 2.0.0 Ok, not too many", DeliveryAction::relayed), listed));
    CHECK_FALSE(asks_to_slow_down(reply("552 5.3.4 Too many octets", DeliveryAction::failed), {}));
}

// ---- rules

Organization::Parts parts_with(std::vector<DestinationPolicy> policies) {
    Organization::Parts parts;
    parts.node.fqdn = "mail.contoso.com";
    SendConnector connector;
    connector.name = "Internet";
    connector.max_per_domain_outbound_connections = 7;
    connector.max_outbound_connections = 30;
    parts.send_connectors.push_back(connector);
    parts.destination_policies = std::move(policies);
    return parts;
}

DestinationPolicy policy(std::string name, std::uint32_t connections) {
    DestinationPolicy made;
    made.name = std::move(name);
    made.max_connections = connections;
    return made;
}

TEST_CASE(
    "without a policy the connector rules, and without it the organization", "[queue][shape]") {
    auto parts = parts_with({});
    parts.transport.max_per_domain_outbound_connections = 4;
    const Organization organization(parts);

    const auto named = rules_of({DeliveryType::dns, "a.example", "Internet"}, "", organization);
    const auto other = rules_of({DeliveryType::dns, "a.example", "Gone"}, "", organization);
    const auto local = rules_of({DeliveryType::mailbox, "maildir", ""}, "", organization);

    CHECK(named.rules.max_connections == 7);
    CHECK(named.connector_connections == 30);
    CHECK(other.rules.max_connections == 4);
    CHECK(other.connector_connections == kUnlimitedConnections);
    CHECK(local.rules.max_connections == 20);
}

TEST_CASE("the first policy that matches in all it lists rules", "[queue][shape]") {
    auto hosts = policy("by host", 1);
    hosts.mx_hosts = {"*.big.example"};
    auto domains = policy("by domain", 2);
    domains.domains = {"*.contoso.com"};
    domains.connectors = {"Internet"};
    auto off = policy("off", 3);
    off.enabled = false;
    const Organization organization(parts_with({hosts, domains, off}));
    const auto name = [&](const char* domain, const char* connector, const char* set) {
        return rules_of({DeliveryType::dns, domain, connector}, set, organization).rules.policy;
    };

    CHECK(name("x.example", "Internet", "a.other.example,mx1.big.example") == "by host");
    CHECK(name("x.example", "Internet", "big.example") == "by host");
    CHECK(name("x.example", "Internet", "notbig.example").empty());
    CHECK(name("x.example", "Internet", "").empty());
    CHECK(name("contoso.com", "Internet", "") == "by domain");
    CHECK(name("eu.contoso.com", "Internet", "mx.contoso.com") == "by domain");
    CHECK(name("contoso.com", "Partner", "").empty());
    CHECK(depends_on_hosts({DeliveryType::dns, "x.example", "Internet"}, organization));
    CHECK_FALSE(depends_on_hosts({DeliveryType::smart_host, "[::1]", "Internet"}, organization));
}

TEST_CASE("a policy that only looks lets the next one rule", "[queue][shape]") {
    auto dry = policy("dry", 1);
    dry.dry_run = true;
    const Organization organization(parts_with({dry, policy("real", 9)}));

    const auto found = rules_of({DeliveryType::dns, "a.example", "Internet"}, "", organization);

    CHECK(found.rules.policy == "real");
    REQUIRE(found.dry_run);
    CHECK(found.dry_run->policy == "dry");
    CHECK(found.dry_run->max_connections == 1);
}

}  // namespace

}  // namespace mailflow
