#include "transport/queue/retry_schedule.hpp"

#include "tests/support/seeded_random.hpp"

#include <catch2/catch.hpp>

#include <vector>

namespace mailflow {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const UtcTime kNow{Duration(1'700'000'000'000)};

TEST_CASE("the ladder is 4 × 1 min, 6 × 5 min, 10 min until 4 h, then 30 min", "[queue][retry]") {
    const RetrySchedule schedule{TransportSettings{}};

    struct Row {
        std::uint32_t attempts;
        Duration failing_for;
        Duration pause;
    };

    const std::vector<Row> rows = {
        {1, minutes(0), minutes(1)},
        {4, minutes(3), minutes(1)},
        {5, minutes(4), minutes(5)},
        {10, minutes(29), minutes(5)},
        {11, minutes(34), minutes(10)},
        {30, hours(4) - seconds(1), minutes(10)},
        {31, hours(4), minutes(30)},
        {500, hours(100), minutes(30)}};

    for (const auto& row : rows) {
        CAPTURE(row.attempts);
        CHECK(schedule.hop_interval(row.attempts, row.failing_for) == row.pause);
    }
}

TEST_CASE("Exchange's own ladder can be set", "[queue][retry]") {
    TransportSettings settings;
    settings.transient_failure_retry_interval = minutes(10);
    settings.outbound_connection_failure_retry_interval = minutes(30);
    settings.long_retry_after = hours(24 * 365);
    const RetrySchedule schedule{settings};

    CHECK(schedule.hop_interval(4, {}) == minutes(1));
    CHECK(schedule.hop_interval(10, {}) == minutes(10));
    CHECK(schedule.hop_interval(11, hours(40)) == minutes(30));
}

TEST_CASE("a step with a count of zero is skipped", "[queue][retry]") {
    TransportSettings settings;
    settings.queue_glitch_retry_count = 0;
    settings.transient_failure_retry_count = 0;
    const RetrySchedule schedule{settings};

    CHECK(schedule.hop_interval(1, {}) == minutes(10));
}

TEST_CASE("jitter is 0 to 10 % and never early", "[queue][retry]") {
    const RetrySchedule schedule{TransportSettings{}};
    SeededRandom random;
    Duration shortest = hours(1);
    Duration longest{};

    for (int i = 0; i < 2000; ++i) {
        const auto pause = schedule.next_hop_retry(1, kNow, kNow, random) - kNow;
        shortest = std::min(shortest, pause);
        longest = std::max(longest, pause);
    }

    CHECK(shortest >= minutes(1));
    CHECK(shortest < seconds(61));
    CHECK(longest <= seconds(66));
    CHECK(longest > seconds(65));
}

TEST_CASE("a restart spreads an overdue hop over its pause, at most 5 minutes", "[queue][retry]") {
    const RetrySchedule schedule{TransportSettings{}};
    SeededRandom random;

    for (int i = 0; i < 500; ++i) {
        const auto soon = schedule.spread_after_restart(1, kNow - minutes(1), kNow, random) - kNow;
        CHECK((soon >= Duration::zero() && soon <= minutes(1)));
        const auto late = schedule.spread_after_restart(90, kNow - hours(40), kNow, random) - kNow;
        CHECK((late >= Duration::zero() && late <= minutes(5)));
    }
}

TEST_CASE("a message expires after 5 days and its sender hears after 4 hours", "[queue][retry]") {
    TransportSettings settings;
    const RetrySchedule schedule{settings};

    CHECK_FALSE(schedule.is_expired(kNow, kNow + hours(120) - Duration(1)));
    CHECK(schedule.is_expired(kNow, kNow + hours(120)));
    CHECK_FALSE(schedule.wants_delay_notice(kNow, kNow + hours(4) - Duration(1)));
    CHECK(schedule.wants_delay_notice(kNow, kNow + hours(4)));
    CHECK(schedule.next_recipient_retry(kNow) == kNow + minutes(15));

    settings.delay_dsn_enabled = false;
    CHECK_FALSE(RetrySchedule{settings}.wants_delay_notice(kNow, kNow + hours(100)));
}

}  // namespace

}  // namespace mailflow
