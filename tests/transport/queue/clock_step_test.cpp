#include "tests/transport/queue/queue_fixture.hpp"

#include <chrono>

namespace mailflow {

namespace {

using std::chrono::hours;
using std::chrono::minutes;

TEST_CASE("attack case 38: a clock that steps back does not hold new mail up", "[queue][clock]") {
    QueueFixture f;
    f.start();
    f.send("bob@example.net", {"carol@example.org"});

    f.lane.clock.step_wall(-hours(1));
    const auto id = f.send("bob@example.net", {"dan@example.org"});

    CHECK(f.smtp.jobs().size() == 2);
    CHECK(f.is_gone(id));
}

TEST_CASE(
    "attack case 38: mail that waits when the clock steps back leaves by its new time",
    "[queue][clock]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto&) { return report_hop_failure("connection refused"); });
    const auto id = f.send("bob@example.net", {"carol@example.org"});

    f.lane.clock.step_wall(-hours(1));
    f.smtp.answer_with(report_delivered);
    f.lane.advance(hours(1) + minutes(2));

    CHECK(f.is_gone(id));
}

TEST_CASE(
    "attack case 38: a clock that steps forth makes mail due, and expires none early",
    "[queue][clock]") {
    QueueFixture f;
    f.start();
    f.smtp.answer_with([](const auto&) { return report_hop_failure("connection refused"); });
    const auto id = f.send("bob@example.net", {"carol@example.org"});

    f.lane.clock.step_wall(hours(1));
    f.smtp.answer_with(report_delivered);
    f.lane.advance(minutes(2));

    CHECK(f.is_gone(id));
    CHECK(f.tracking.count(TrackingEventId::fail) == 0);
}

}  // namespace

}  // namespace mailflow
