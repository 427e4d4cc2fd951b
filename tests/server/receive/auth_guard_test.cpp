#include "server/receive/auth_guard.hpp"

#include "tests/support/manual_clock.hpp"
#include "tests/support/run_task.hpp"

#include <catch2/catch.hpp>

#include <string>

namespace mailflow {

namespace {

constexpr Duration kJustUnder = kAuthFailureWindow - std::chrono::seconds(1);

struct Fixture {
    explicit Fixture(std::size_t capacity = kMaxAuthEntries)
        : guard(capacity) {
        limits.auth_failure_limit_per_source = 5;
        limits.auth_failure_limit_per_account = 3;
        limits.auth_failure_exempt_ranges = {IpRange::parse("127.0.0.0/8").value()};
    }

    static AuthTry attempt(const std::string& source, const std::string& account) {
        return {IpAddress::parse(source).value(), account};
    }

    AuthTryVerdict begin(const std::string& source, const std::string& account) {
        return guard.begin(attempt(source, account), limits, clock.monotonic());
    }

    AuthTryVerdict run(const std::string& source, const std::string& account, AuthTryEnd end) {
        const auto verdict = begin(source, account);
        if (verdict == AuthTryVerdict::allowed) {
            guard.end(attempt(source, account), limits, end, clock.monotonic());
        }
        return verdict;
    }

    // Tries until one is refused or there were `most`; how many were let through.
    int fail(const std::string& source, const std::string& account, int most = 20) {
        int let_through = 0;
        while (let_through < most &&
               run(source, account, AuthTryEnd::failed) == AuthTryVerdict::allowed) {
            ++let_through;
        }
        return let_through;
    }

    AuthTryVerdict succeed(const std::string& source, const std::string& account) {
        return run(source, account, AuthTryEnd::succeeded);
    }

    ManualClock clock;
    TransportSettings limits;
    AuthGuard guard;
};

const std::string kSource = "192.0.2.1";
const std::string kOther = "198.51.100.7";

}  // namespace

TEST_CASE("attack case 22: a source may fail so often, whatever the account", "[receive][auth]") {
    Fixture fixture;
    for (int i = 0; i < 5; ++i) {
        CHECK(fixture.fail(kSource, "account" + std::to_string(i), 1) == 1);
    }

    CHECK(fixture.succeed(kSource, "alice") == AuthTryVerdict::source_refused);
    CHECK(fixture.succeed(kOther, "alice") == AuthTryVerdict::allowed);
}

TEST_CASE("the /64 of an IPv6 address is one source", "[receive][auth]") {
    Fixture fixture;
    for (int i = 0; i < 5; ++i) {
        fixture.fail("2001:db8:1:2::" + std::to_string(i), "account" + std::to_string(i), 1);
    }

    CHECK(fixture.succeed("2001:db8:1:2:ffff::1", "alice") == AuthTryVerdict::source_refused);
    CHECK(fixture.succeed("2001:db8:1:3::1", "alice") == AuthTryVerdict::allowed);
}

TEST_CASE("attack case 22: an account may fail so often, whatever the source", "[receive][auth]") {
    Fixture fixture;
    for (const auto* source : {"192.0.2.1", "192.0.2.2", "192.0.2.3"}) {
        fixture.fail(source, "alice", 1);
    }

    CHECK(fixture.succeed(kOther, "alice") == AuthTryVerdict::account_refused);
    CHECK(fixture.succeed(kOther, "bob") == AuthTryVerdict::allowed);
}

TEST_CASE(
    "attack case 22: whoever guesses at an account does not lock its owner out",
    "[receive][auth]") {
    Fixture fixture;
    REQUIRE(fixture.succeed(kSource, "alice") == AuthTryVerdict::allowed);
    fixture.clock.advance(std::chrono::hours(24 * 29));
    CHECK(fixture.fail(kOther, "alice") == 3);

    CHECK(fixture.succeed(kSource, "alice") == AuthTryVerdict::allowed);
    CHECK(fixture.succeed(kOther, "alice") == AuthTryVerdict::account_refused);

    SECTION("but the owner's own source is bound to its limit too") {
        CHECK(fixture.fail(kSource, "alice") == 5);
        CHECK(fixture.succeed(kSource, "alice") == AuthTryVerdict::source_refused);
    }
    SECTION("and is forgotten when it has not logged in for long") {
        fixture.clock.advance(kKnownSourceFor);
        fixture.fail(kOther, "alice");

        CHECK(fixture.succeed(kSource, "alice") == AuthTryVerdict::account_refused);
    }
}

TEST_CASE("counts end a window after their first failure", "[receive][auth]") {
    Fixture fixture;
    CHECK(fixture.fail(kSource, "alice") == 3);

    fixture.clock.advance(kJustUnder);
    CHECK(fixture.succeed(kOther, "alice") == AuthTryVerdict::account_refused);
    fixture.clock.advance(std::chrono::seconds(1));

    CHECK(fixture.succeed(kOther, "alice") == AuthTryVerdict::allowed);
    CHECK(fixture.fail(kSource, "bob") == 3);
}

TEST_CASE("refused tries do not make a lock last", "[receive][auth]") {
    Fixture fixture;
    fixture.fail(kSource, "alice");
    fixture.clock.advance(kJustUnder);

    for (int i = 0; i < 100; ++i)
        fixture.fail(kSource, "alice");
    fixture.clock.advance(std::chrono::seconds(1));

    CHECK(fixture.begin(kSource, "alice") == AuthTryVerdict::allowed);
}

TEST_CASE(
    "tries at the same time get no more guesses than one after the other", "[receive][auth]") {
    Fixture fixture;
    int begun = 0;
    while (fixture.begin(kSource, "account" + std::to_string(begun)) == AuthTryVerdict::allowed) {
        ++begun;
    }

    CHECK(begun == 5);
}

TEST_CASE("successes and tries given up count for nothing", "[receive][auth]") {
    Fixture fixture;
    for (int i = 0; i < 50; ++i) {
        CHECK(fixture.succeed(kSource, "alice") == AuthTryVerdict::allowed);
        CHECK(fixture.run(kSource, "alice", AuthTryEnd::given_up) == AuthTryVerdict::allowed);
    }

    CHECK(fixture.guard.sources() == 0);
    CHECK(fixture.guard.accounts() == 0);
    CHECK(fixture.guard.known() == 1);
}

TEST_CASE("a success does not wipe out the failures of before", "[receive][auth]") {
    Fixture fixture;
    CHECK(fixture.fail(kSource, "victim", 2) == 2);
    CHECK(fixture.fail(kSource, "other", 2) == 2);
    CHECK(fixture.succeed(kSource, "own account") == AuthTryVerdict::allowed);

    CHECK(fixture.fail(kSource, "victim") == 1);
}

TEST_CASE("attack case 22: exempt ranges are never refused and never counted", "[receive][auth]") {
    Fixture fixture;

    CHECK(fixture.fail("127.0.0.1", "alice", 50) == 50);

    CHECK(fixture.guard.sources() == 0);
    CHECK(fixture.fail(kSource, "alice") == 3);
    CHECK(fixture.succeed("127.0.0.1", "alice") == AuthTryVerdict::allowed);
}

TEST_CASE("without limits nobody is refused", "[receive][auth]") {
    Fixture fixture;
    fixture.limits.auth_failure_limit_per_source.reset();
    CHECK(fixture.fail(kSource, "alice") == 3);
    fixture.limits.auth_failure_limit_per_account.reset();

    CHECK(fixture.fail(kSource, "alice") == 20);
}

TEST_CASE("what is remembered is bounded, the oldest goes first", "[receive][auth]") {
    Fixture fixture(10);
    fixture.limits.auth_failure_limit_per_source = 1;
    for (int i = 0; i < 11; ++i) {
        const auto source = "198.51.100." + std::to_string(i);
        CHECK(fixture.succeed(source, "alice") == AuthTryVerdict::allowed);
    }
    for (int i = 0; i < 11; ++i) {
        CHECK(fixture.fail("192.0.2." + std::to_string(i), "account" + std::to_string(i)) == 1);
    }

    CHECK(fixture.guard.sources() == 10);
    CHECK(fixture.guard.accounts() == 10);
    CHECK(fixture.guard.known() == 10);
    CHECK(fixture.begin("192.0.2.1", "x") == AuthTryVerdict::source_refused);
    CHECK(fixture.begin("192.0.2.0", "x") == AuthTryVerdict::allowed);
}

TEST_CASE("lanes share one guard", "[receive][auth]") {
    TestLane test;
    SeededRandom random;
    Lane other({test.context, test.clock, random, Log(), 1, false});
    AuthGuard guard;
    AuthGate near(guard, test.lane, test.lane);
    AuthGate far(guard, test.lane, other);
    Organization::Parts parts;
    parts.transport.auth_failure_limit_per_source = 2;
    const auto organization = std::make_shared<const Organization>(std::move(parts));
    const AuthTry attempt = Fixture::attempt(kSource, "alice");

    CHECK(test.run(near.begin(attempt, organization)) == AuthTryVerdict::allowed);
    near.end(attempt, organization, AuthTryEnd::failed);
    CHECK(test.run(far.begin(attempt, organization)) == AuthTryVerdict::allowed);
    far.end(attempt, organization, AuthTryEnd::succeeded);
    test.poll();
    CHECK(test.run(far.begin(attempt, organization)) == AuthTryVerdict::allowed);
    far.end(attempt, organization, AuthTryEnd::failed);
    test.poll();

    CHECK(test.run(near.begin(attempt, organization)) == AuthTryVerdict::source_refused);
}

}  // namespace mailflow
