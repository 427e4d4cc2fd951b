#include "server/receive/rate_limiter.hpp"

#include "tests/support/manual_clock.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

struct Fixture {
    ManualClock clock;
    RateLimiter limiter;

    bool take(const std::string& key, const RateLimits& limits, RateLimiter::Use use = {1, 0}) {
        return limiter.take(key, limits, use, clock.monotonic());
    }

    // How many of `most` are let through at once.
    int takes(const std::string& key, const RateLimits& limits, RateLimiter::Use use, int most) {
        int count = 0;
        while (count < most && take(key, limits, use)) {
            ++count;
        }
        return count;
    }
};

IpAddress address(const std::string& text) {
    return IpAddress::parse(text).value();
}

}  // namespace

TEST_CASE("A minute's messages are let through at once, then in step", "[receive][rates]") {
    Fixture fixture;
    const RateLimits limits{10, {}, {}, {}};

    CHECK(fixture.takes("a", limits, {1, 0}, 100) == 10);
    fixture.clock.advance(std::chrono::seconds(6));
    CHECK(fixture.takes("a", limits, {1, 0}, 100) == 1);
    fixture.clock.advance(std::chrono::minutes(5));
    CHECK(fixture.takes("a", limits, {1, 0}, 100) == 10);
}

TEST_CASE("An hour's limit holds when the minute's does not bite", "[receive][rates]") {
    Fixture fixture;
    const RateLimits limits{10, 15, {}, {}};

    CHECK(fixture.takes("a", limits, {1, 0}, 100) == 10);
    fixture.clock.advance(std::chrono::minutes(1));
    // 5 are left of the hour, and a quarter of one has come back.
    CHECK(fixture.takes("a", limits, {1, 0}, 100) == 5);
    fixture.clock.advance(std::chrono::minutes(4));
    CHECK(fixture.takes("a", limits, {1, 0}, 100) == 1);
}

TEST_CASE("Messages and recipients are counted apart", "[receive][rates]") {
    Fixture fixture;
    const RateLimits limits{2, {}, 5, {}};

    CHECK(fixture.takes("a", limits, {0, 1}, 100) == 5);
    CHECK(fixture.takes("a", limits, {1, 0}, 100) == 2);
    CHECK(!fixture.take("a", limits, {0, 1}));
}

TEST_CASE("What one window refuses is taken from none", "[receive][rates]") {
    Fixture fixture;
    const RateLimits limits{100, 100, 3, 10};

    CHECK(fixture.takes("a", limits, {1, 2}, 100) == 1);
    for (int i = 0; i < 50; ++i) {
        CHECK(!fixture.take("a", limits, {1, 2}));
    }

    CHECK(fixture.take("a", limits, {0, 1}));
    CHECK(fixture.takes("a", limits, {1, 0}, 1000) == 99);
}

TEST_CASE("Sources have windows of their own", "[receive][rates]") {
    Fixture fixture;
    const RateLimits limits{1, {}, {}, {}};

    CHECK(fixture.take("a", limits));
    CHECK(fixture.take("b", limits));
    CHECK(!fixture.take("a", limits));
}

TEST_CASE("A limit that is lowered or lifted holds at once", "[receive][rates]") {
    Fixture fixture;

    CHECK(fixture.takes("a", {10, {}, {}, {}}, {1, 0}, 5) == 5);
    CHECK(!fixture.take("a", {5, {}, {}, {}}));
    CHECK(fixture.take("a", {{}, {}, {}, {}}));
    CHECK(!fixture.take("a", {0, {}, {}, {}}));
}

TEST_CASE("Sources beyond the bound push out who was quiet for longest", "[receive][rates]") {
    Fixture fixture;
    const RateLimits limits{1, {}, {}, {}};
    CHECK(fixture.take("first", limits));
    CHECK(fixture.take("second", limits));
    CHECK(!fixture.take("first", limits));

    for (std::size_t i = 0; i < RateLimiter::kMaxSources - 1; ++i) {
        static_cast<void>(fixture.take("other " + std::to_string(i), limits));
    }

    CHECK(fixture.limiter.size() == RateLimiter::kMaxSources);
    CHECK(!fixture.take("first", limits));
    CHECK(fixture.take("second", limits));
}

TEST_CASE("A rate is counted by what the connector says", "[receive][rates]") {
    ReceiveConnector connector;
    connector.name = "Client";
    const auto key = [&connector](MessageRateSource source, const char* from, const char* account) {
        connector.message_rate_source = source;
        return rate_key(connector, address(from), account);
    };

    CHECK(!key(MessageRateSource::none, "192.0.2.1", ""));
    CHECK(
        key(MessageRateSource::all, "192.0.2.1", "") ==
        key(MessageRateSource::all, "192.0.2.2", "bob"));
    CHECK(
        key(MessageRateSource::ip_address, "192.0.2.1", "alice") ==
        key(MessageRateSource::ip_address, "192.0.2.1", "bob"));
    CHECK(
        key(MessageRateSource::ip_address, "192.0.2.1", "") !=
        key(MessageRateSource::ip_address, "192.0.2.2", ""));
    CHECK(
        key(MessageRateSource::user, "192.0.2.1", "Alice@Contoso.com") ==
        key(MessageRateSource::user, "2001:db8::1", "alice@contoso.com"));
    CHECK(
        key(MessageRateSource::user, "192.0.2.1", "") ==
        key(MessageRateSource::ip_address, "192.0.2.1", ""));
    const auto before = key(MessageRateSource::ip_address, "192.0.2.1", "");
    connector.name = "Other";
    CHECK(before != key(MessageRateSource::ip_address, "192.0.2.1", ""));
}

TEST_CASE("An IPv6 source is its /64", "[receive][rates]") {
    CHECK(source_network(address("192.0.2.7")) == address("192.0.2.7"));
    CHECK(source_network(address("2001:db8:1:2:3:4:5:6")) == address("2001:db8:1:2::"));

    ConnectionCounter counter;
    counter.add("c", address("2001:db8::1"));
    counter.add("c", address("2001:db8::ffff:1"));
    counter.add("c", address("2001:db8:0:1::1"));
    CHECK(counter.counts("c", address("2001:db8::2")).source == 2);
    CHECK(counter.counts("c", address("2001:db8::2")).total == 3);

    counter.remove("c", address("2001:db8::1"));
    CHECK(counter.counts("c", address("2001:db8::1")).source == 1);
    counter.remove("c", address("2001:db8::ffff:1"));
    counter.remove("c", address("2001:db8:0:1::1"));
    CHECK(counter.counts("c", address("2001:db8::1")).total == 0);
}
