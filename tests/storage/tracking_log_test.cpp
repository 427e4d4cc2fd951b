#include "storage/tracking_log.hpp"

#include "storage/posix_files.hpp"
#include "tests/conformance/tracking_conformance.hpp"
#include "tests/support/memory_log.hpp"
#include "tests/support/memory_tracking.hpp"
#include "tests/support/temp_directory.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace mailflow {

using namespace std::chrono_literals;

namespace {

struct TrackingFixture {
    explicit TrackingFixture(std::size_t batch_size = 4096, std::size_t capacity = 65536) {
        settings.folder = directory / "tracking";
        settings.batch_size = batch_size;
        settings.queue_capacity = capacity;
        open();
    }

    ~TrackingFixture() {
        test.run(tracking->close());
        test.lane.stop();
        test.poll();
    }

    TrackingFixture(const TrackingFixture&) = delete;
    TrackingFixture& operator=(const TrackingFixture&) = delete;

    void open() {
        tracking = std::make_unique<SqliteTrackingLog>(
            settings, SqliteTrackingLog::Parts{test.lane, runner, runner, files, Log(log)});
        REQUIRE(tracking->open());
    }

    void append(const std::string& detail) {
        TrackingEvent event;
        event.time = test.clock.now();
        event.queue_id = QueueId::earliest_at(event.time);
        event.detail = detail;
        tracking->append(event);
    }

    // Day files, without what SQLite keeps beside them.
    [[nodiscard]] std::vector<std::string> day_files() const {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(settings.folder)) {
            const auto name = entry.path().filename().string();
            if (name.ends_with(".db")) found.push_back(name);
        }
        std::sort(found.begin(), found.end());
        return found;
    }

    TempDirectory directory;
    TestLane test;
    FoldedRunner runner{test.context};
    PosixFiles files;
    MemoryLog log;
    TrackingLogSettings settings;
    std::unique_ptr<SqliteTrackingLog> tracking;
};

}  // namespace

TEST_CASE("tracking in SQLite keeps the port's promises", "[storage][conformance]") {
    TrackingFixture fixture;
    check_tracking(fixture.test, *fixture.tracking);
}

TEST_CASE("tracking in memory keeps the port's promises", "[support][conformance]") {
    TestLane test;
    MemoryTracking tracking;
    check_tracking(test, tracking);
}

TEST_CASE("days of tracking are named by their date", "[storage][tracking]") {
    const auto day = std::chrono::sys_days(std::chrono::year(2026) / 1 / 31);

    CHECK(tracking_file_name(day) == "tracking-20260131.db");
    CHECK(parse_tracking_file_name("tracking-20260131.db") == day);
    for (const auto* name :
         {"tracking-20260132.db",
          "tracking-20260131.db-wal",
          "tracking-2026013.db",
          "queue.db",
          "",
          "tracking-2026013x.db"}) {
        INFO(name);
        CHECK_FALSE(parse_tracking_file_name(name));
    }
}

TEST_CASE("events are written a second after the first one", "[storage][tracking]") {
    TrackingFixture fixture;
    fixture.append("a");
    fixture.test.advance(999ms);
    CHECK(fixture.day_files().empty());

    fixture.test.advance(1ms);

    CHECK(fixture.day_files() == std::vector<std::string>{"tracking-20260105.db"});
}

TEST_CASE("a full batch of events is written at once", "[storage][tracking]") {
    TrackingFixture fixture(3);

    for (const auto* detail : {"a", "b", "c"})
        fixture.append(detail);
    fixture.test.poll();

    CHECK(fixture.day_files().size() == 1);
}

TEST_CASE("nothing is written and no timer runs while nothing happens", "[storage][tracking]") {
    TrackingFixture fixture;
    fixture.append("a");
    fixture.test.advance(2s);

    CHECK_FALSE(fixture.test.lane.next_deadline());
}

TEST_CASE("events beyond the queue's bound are dropped and counted", "[storage][tracking]") {
    TrackingFixture fixture(100, 5);
    for (int i = 0; i < 8; ++i)
        fixture.append(std::to_string(i));

    const auto found = fixture.test.run(fixture.tracking->find({}));

    CHECK(details_of(found) == "0 1 2 3 4 ");
    CHECK(fixture.log.count("tracking events are lost events=3") == 1);
}

TEST_CASE("each day has its file, and those too old are removed", "[storage][tracking]") {
    TrackingFixture fixture;
    fixture.tracking->set_retention_days(2);
    for (int day = 0; day < 5; ++day) {
        fixture.append(std::to_string(day));
        fixture.test.advance(24h);
    }

    // Now it is the day after the last event: that one and the one before it are two days back at
    // most.
    fixture.append("now");
    fixture.test.advance(2s);

    CHECK(
        fixture.day_files() ==
        std::vector<std::string>{
            "tracking-20260108.db", "tracking-20260109.db", "tracking-20260110.db"});
    CHECK(details_of(fixture.test.run(fixture.tracking->find({}))) == "3 4 now ");
    CHECK(fixture.log.lines().empty());
}

TEST_CASE("old days go at the start, too", "[storage][tracking]") {
    TrackingFixture fixture;
    fixture.append("old");
    fixture.test.run(fixture.tracking->close());
    fixture.test.clock.advance(24h * 31);

    fixture.open();

    CHECK(fixture.day_files().empty());
}

TEST_CASE(
    "with more matches than the limit the latest are given, in order", "[storage][tracking]") {
    TrackingFixture fixture;
    for (int i = 0; i < 10; ++i) {
        fixture.append(std::to_string(i));
        fixture.test.advance(8h);
    }
    TrackingQuery query;
    query.limit = 4;

    CHECK(details_of(fixture.test.run(fixture.tracking->find(query))) == "6 7 8 9 ");
}

TEST_CASE("a query reads through many pages of a day", "[storage][tracking]") {
    TrackingFixture fixture;
    for (int i = 0; i < 5000; ++i)
        fixture.append(i == 7 ? "needle" : "hay");
    TrackingQuery query;
    query.limit = 10000;

    const auto all = fixture.test.run(fixture.tracking->find(query)).value();

    CHECK(all.size() == 5000);
    CHECK(all[7].detail == "needle");
}

TEST_CASE("history is there after a restart", "[storage][tracking]") {
    TrackingFixture fixture;
    fixture.append("before");
    fixture.test.run(fixture.tracking->close());
    fixture.open();
    fixture.append("after");

    CHECK(details_of(fixture.test.run(fixture.tracking->find({}))) == "before after ");
}

TEST_CASE(
    "tracking that cannot be written is told in the log and costs nothing else",
    "[storage][tracking]") {
    TrackingFixture fixture;
    std::filesystem::remove_all(fixture.settings.folder);

    fixture.append("lost");
    fixture.test.advance(2s);

    CHECK(fixture.log.count("tracking cannot be written events_lost=1") == 1);
}

}  // namespace mailflow
