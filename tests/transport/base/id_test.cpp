#include "transport/base/id.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace mailflow {

namespace {

// A wall clock that steps back too.
class SteppingClock final : public Clock {
  public:
    [[nodiscard]] UtcTime now() const noexcept override { return time; }

    [[nodiscard]] MonotonicTime monotonic() const noexcept override { return {}; }

    UtcTime time = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23);
};

}  // namespace

TEST_CASE("attack case 38: ids grow while the clock stands, runs or steps back", "[base][id]") {
    SteppingClock clock;
    QueueIdSource source(clock, 3);
    QueueId last = source.next();

    for (const int step : {0, 0, 1, 1000, -3'600'000, 0, 5, 3'600'000 * 2}) {
        clock.time += std::chrono::milliseconds(step);
        const auto next = source.next();
        CAPTURE(step);
        CHECK(next > last);
        CHECK(next.text() > last.text());
        last = next;
    }
    CHECK(last.time() == clock.time);
}

TEST_CASE("Ids of lanes differ within one millisecond", "[base][id]") {
    const SteppingClock clock;
    std::set<QueueId> ids;

    for (unsigned lane = 0; lane < 64; ++lane) {
        QueueIdSource source(clock, lane);
        for (int i = 0; i < 100; ++i) {
            ids.insert(source.next());
        }
    }

    CHECK(ids.size() == 6400);
    CHECK(*ids.begin() >= QueueId::earliest_at(clock.time));
    CHECK(*ids.rbegin() < QueueId::earliest_at(clock.time + std::chrono::milliseconds(1)));
}

TEST_CASE("More ids in a millisecond than it has numbers run into the next one", "[base][id]") {
    const SteppingClock clock;
    QueueIdSource source(clock, 1);
    auto last = source.next();
    bool grows = true;

    for (int i = 0; i < 140'000; ++i) {
        const auto next = source.next();
        grows = grows && next > last;
        last = next;
    }

    CHECK(grows);
    CHECK(last.time() == clock.time + std::chrono::milliseconds(1));
}

TEST_CASE("An id is read back from its text, in any case of letters", "[base][id]") {
    const QueueId id{0x0123456789abcdefU};

    CHECK(id.text().size() == 13);
    CHECK(QueueId::parse(id.text()).value() == id);
    CHECK(QueueId::parse("0000000000000").value() == QueueId{});
    CHECK(QueueId::parse(QueueId{UINT64_MAX}.text()).value() == QueueId{UINT64_MAX});
    CHECK(QueueId::parse("000000000000a").value() == QueueId{10});
}

TEST_CASE("Text that is no id is refused", "[base][id]") {
    const auto* text = GENERATE(
        "",
        "000000000000",
        "00000000000000",
        "000000000000U",
        "000000000000!",
        "ZZZZZZZZZZZZZ",
        "G000000000000");

    CAPTURE(text);
    CHECK(QueueId::parse(text).has_error());
}

}  // namespace mailflow
