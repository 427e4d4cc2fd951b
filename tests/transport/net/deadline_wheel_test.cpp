#include "transport/net/deadline_wheel.hpp"

#include "tests/support/manual_clock.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <vector>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

struct Expiring final : Deadline {
    void on_expired() override {
        ++expired;
        if (then) {
            then();
        }
    }

    int expired = 0;
    std::function<void()> then;
};

}  // namespace

TEST_CASE("a deadline expires once, within the second after its time", "[net][wheel]") {
    const ManualClock clock;
    DeadlineWheel wheel(clock);
    const auto start = clock.monotonic();
    Expiring deadline;

    wheel.set(deadline, start + 2500ms);

    wheel.tick(start + 2999ms);
    CHECK(deadline.expired == 0);
    wheel.tick(start + 3000ms);
    CHECK(deadline.expired == 1);
    wheel.tick(start + 1h);
    CHECK(deadline.expired == 1);
}

TEST_CASE("a deadline can be moved both ways and cleared", "[net][wheel]") {
    const ManualClock clock;
    DeadlineWheel wheel(clock);
    const auto start = clock.monotonic();
    Expiring later;
    Expiring earlier;
    Expiring cleared;
    for (auto* one : {&later, &earlier, &cleared}) {
        wheel.set(*one, start + 10s);
    }

    wheel.set(later, start + 20s);
    wheel.set(earlier, start + 5s);
    wheel.clear(cleared);

    wheel.tick(start + 5s);
    CHECK(earlier.expired == 1);
    wheel.tick(start + 19s);
    CHECK(later.expired == 0);
    wheel.tick(start + 20s);
    CHECK(later.expired == 1);
    CHECK(cleared.expired == 0);
}

TEST_CASE("deadlines beyond the wheel's turn keep their time", "[net][wheel]") {
    const ManualClock clock;
    DeadlineWheel wheel(clock);
    const auto start = clock.monotonic();
    Expiring far;

    wheel.set(far, start + 5000s);

    for (auto passed = 100s; passed < 5000s; passed += 100s) {
        wheel.tick(start + passed);
        REQUIRE(far.expired == 0);
    }
    wheel.tick(start + 5000s);
    CHECK(far.expired == 1);
}

TEST_CASE("a tick after a long sleep expires everything due and nothing else", "[net][wheel]") {
    const ManualClock clock;
    DeadlineWheel wheel(clock);
    const auto start = clock.monotonic();
    std::vector<std::unique_ptr<Expiring>> deadlines;
    for (int i = 0; i < 3000; ++i) {
        deadlines.push_back(std::make_unique<Expiring>());
        wheel.set(*deadlines.back(), start + std::chrono::seconds(i + 1));
    }

    wheel.tick(start + 2000s);

    for (int i = 0; i < 3000; ++i) {
        REQUIRE(deadlines[static_cast<std::size_t>(i)]->expired == (i < 2000 ? 1 : 0));
    }
}

TEST_CASE("a call-back may destroy and move other deadlines that are due", "[net][wheel]") {
    const ManualClock clock;
    DeadlineWheel wheel(clock);
    const auto start = clock.monotonic();
    Expiring first;
    auto destroyed = std::make_unique<Expiring>();
    Expiring moved;
    wheel.set(first, start + 1s);
    wheel.set(*destroyed, start + 1s);
    wheel.set(moved, start + 1s);
    first.then = [&] {
        destroyed.reset();
        wheel.set(moved, start + 7s);
        wheel.set(first, start + 3s);
    };

    wheel.tick(start + 1s);
    CHECK(moved.expired == 0);
    first.then = nullptr;

    wheel.tick(start + 7s);
    CHECK(first.expired == 2);
    CHECK(moved.expired == 1);
}

TEST_CASE(
    "the wheel names its next non-empty second and says when that comes earlier", "[net][wheel]") {
    const ManualClock clock;
    DeadlineWheel wheel(clock);
    const auto start = clock.monotonic();
    int earlier = 0;
    wheel.on_earlier([&] { ++earlier; });
    Expiring a;
    Expiring b;
    CHECK_FALSE(wheel.next().has_value());

    wheel.set(a, start + 300s);
    CHECK(wheel.next() == start + 300s);
    wheel.set(b, start + 400s);
    CHECK(earlier == 1);
    wheel.set(b, start + 100s);
    CHECK(earlier == 2);
    CHECK(wheel.next() == start + 100s);

    wheel.tick(start + 100s);
    CHECK(wheel.next() == start + 300s);
    wheel.tick(start + 300s);
    CHECK_FALSE(wheel.next().has_value());
}

TEST_CASE("a stopped wheel expires what it has and what comes", "[net][wheel]") {
    const ManualClock clock;
    DeadlineWheel wheel(clock);
    const auto start = clock.monotonic();
    Expiring near;
    Expiring far;
    Expiring cleared;
    Expiring late;
    wheel.set(near, start + 1s);
    wheel.set(far, start + 10h);
    wheel.set(cleared, start + 1s);
    near.then = [&] {
        wheel.clear(cleared);
    };

    wheel.stop();
    wheel.set(late, start + 1h);

    CHECK(near.expired == 1);
    CHECK(far.expired == 1);
    CHECK(cleared.expired == 0);
    CHECK(late.expired == 1);
    CHECK_FALSE(wheel.next());
}
