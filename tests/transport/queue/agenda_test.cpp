#include "transport/queue/agenda.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

UtcTime at(int seconds) {
    return UtcTime(std::chrono::seconds(seconds));
}

}  // namespace

TEST_CASE("appointments come in order of time, each once", "[queue][agenda]") {
    Agenda agenda(10);
    agenda.note(at(30), QueueId{3});
    agenda.note(at(10), QueueId{1});
    agenda.note(at(20), QueueId{2});
    agenda.note(at(20), QueueId{2});
    agenda.note(at(25), QueueId{4});
    agenda.cancel(at(25), QueueId{4});

    CHECK(agenda.earliest() == at(10));
    CHECK_FALSE(agenda.take_due(at(9)));
    CHECK(agenda.take_due(at(20)) == QueueId{1});
    CHECK(agenda.take_due(at(20)) == QueueId{2});
    CHECK_FALSE(agenda.take_due(at(29)));
    CHECK(agenda.take_due(at(30)) == QueueId{3});
    CHECK_FALSE(agenda.earliest());
}

TEST_CASE("of too many appointments the farthest are left to a scan", "[queue][agenda]") {
    Agenda agenda(3);
    for (int i = 10; i > 0; --i) {
        agenda.note(at(i), QueueId{static_cast<std::uint64_t>(i)});
    }
    REQUIRE(agenda.size() == 3);

    CHECK_FALSE(agenda.take_scan(at(3)));
    for (std::uint64_t i = 1; i <= 3; ++i) {
        CHECK(agenda.take_due(at(3)) == QueueId{i});
    }
    CHECK(agenda.earliest() == at(4));
    CHECK(agenda.take_scan(at(4)));
    CHECK_FALSE(agenda.take_scan(at(4)));
    CHECK_FALSE(agenda.earliest());
}

}  // namespace mailflow
