#include "server/daemon/resource_monitor.hpp"

#include "server/daemon/system_resources.hpp"
#include "tests/support/memory_log.hpp"
#include "tests/support/memory_store.hpp"
#include "tests/support/run_task.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace mailflow;

namespace {

ResourceReadings reading(Resource resource, double value) {
    ResourceReadings readings;
    switch (resource) {
        case Resource::disk_space: readings.disk_space = value; break;
        case Resource::disk_inodes: readings.disk_inodes = value; break;
        case Resource::process_memory: readings.process_memory = value; break;
        case Resource::system_memory: readings.system_memory = value; break;
        case Resource::descriptors: readings.descriptors = value; break;
        case Resource::queue_length:
            readings.queue_length = static_cast<std::uint64_t>(value);
            break;
    }
    return readings;
}

constexpr auto kNormal = PressureLevel::normal;
constexpr auto kMedium = PressureLevel::medium;
constexpr auto kHigh = PressureLevel::high;

class FixedResources final : public ResourceReader {
  public:
    ResourceReadings read() override {
        ++count;
        return readings;
    }

    ResourceReadings readings;
    int count = 0;
};

struct Fixture {
    TestLane lane;
    FoldedRunner worker{lane.context};
    MemoryStore store;
    MemoryLog log;
    std::vector<Pressure> published;
    FixedResources reader;
    ResourceMonitor monitor{
        {lane.lane,
         reader,
         worker,
         store,
         [] { return std::size_t{0}; },
         [this](const Pressure& pressure) { published.push_back(pressure); },
         Log(log)}};

    void start() { lane.lane.spawn("monitor", monitor.run()); }
};

}  // namespace

TEST_CASE("Each resource rises and falls at its thresholds", "[pressure]") {
    for (const auto resource :
         {Resource::disk_space,
          Resource::disk_inodes,
          Resource::process_memory,
          Resource::system_memory,
          Resource::descriptors,
          Resource::queue_length}) {
        const auto& at = thresholds_of(resource);
        const std::vector<std::pair<double, PressureLevel>> steps = {
            {at.to_medium - 1, kNormal},
            {at.to_medium, kMedium},
            {at.to_high - 1, kMedium},
            {at.to_high, kHigh},
            {at.high_to_medium + 1, kHigh},
            {at.high_to_medium, kMedium},
            {at.medium_to_low + 1, kMedium},
            {at.medium_to_low, kNormal},
            {at.to_medium - 1, kNormal},
            // Both levels at once, both ways.
            {at.to_high, kHigh},
            {at.medium_to_low, kNormal}};
        PressureMeter meter;
        MonotonicTime now{};

        for (const auto& [value, level] : steps) {
            CAPTURE(to_text(resource), value);
            meter.update(reading(resource, value), now);
            now += kDescriptorPatience;
            const auto& found = meter.update(reading(resource, value), now);
            CHECK(found.level == level);
            CHECK(meter.level(resource) == level);
            if (level != kNormal) {
                CHECK(found.resource == resource);
            }
        }
    }
}

TEST_CASE("The worst resource is the one that is named", "[pressure]") {
    PressureMeter meter;
    ResourceReadings readings;
    readings.disk_space = 90;
    readings.queue_length = 1'000'000;

    CHECK(meter.update(readings, {}).resource == Resource::disk_space);
    readings.system_memory = 99;
    const auto& worst = meter.update(readings, {});

    CHECK(worst.level == kHigh);
    CHECK(worst.resource == Resource::system_memory);
}

TEST_CASE("A resource that cannot be read presses nobody", "[pressure]") {
    PressureMeter meter;
    meter.update(reading(Resource::disk_inodes, 100), {});
    REQUIRE(meter.pressure().level == kHigh);

    meter.update({}, {});

    CHECK(meter.pressure().level == kNormal);
}

TEST_CASE("Descriptors that are short for a moment press nobody", "[pressure]") {
    PressureMeter meter;
    const auto all_taken = reading(Resource::descriptors, 100);
    const auto after = [](int seconds) {
        return MonotonicTime() + std::chrono::seconds(seconds);
    };

    CHECK(meter.update(all_taken, after(0)).level == kNormal);
    CHECK(meter.update(all_taken, after(9)).level == kNormal);
    CHECK(meter.update(all_taken, after(10)).level == kHigh);
    CHECK(meter.update(reading(Resource::descriptors, 50), after(11)).level == kNormal);
    CHECK(meter.update(all_taken, after(12)).level == kNormal);
}

TEST_CASE("The time under pressure is counted in readings, up to the bound", "[pressure]") {
    PressureMeter meter;
    const auto pressed = reading(Resource::queue_length, 1'200'000);
    const auto after = [](int seconds) {
        return MonotonicTime() + std::chrono::seconds(seconds);
    };

    CHECK(meter.update(pressed, after(5)).polls == 0);
    CHECK(meter.update(pressed, after(6)).polls == 0);
    CHECK(meter.update(pressed, after(7)).polls == 1);
    CHECK(meter.update(pressed, after(605)).polls == kPollsBeforeRefusal);
    CHECK(meter.update(pressed, after(6000)).polls == kPollsBeforeRefusal);
    meter.update({}, after(6001));
    CHECK(meter.update(pressed, after(6002)).polls == 0);
}

TEST_CASE("The monitor publishes changes, and logs each level once", "[pressure]") {
    Fixture fixture;

    fixture.reader.readings = reading(Resource::disk_space, 50);
    fixture.start();
    fixture.lane.advance(std::chrono::seconds(10));
    CHECK(fixture.reader.count == 6);
    CHECK(fixture.published.empty());

    fixture.reader.readings = reading(Resource::disk_space, 95);
    fixture.lane.advance(std::chrono::seconds(4));
    REQUIRE(fixture.published.size() == 2);
    CHECK(fixture.published[0] == Pressure{kMedium, Resource::disk_space, 0});
    CHECK(fixture.published[1] == Pressure{kMedium, Resource::disk_space, 1});

    // Room is seen at once.
    fixture.reader.readings = reading(Resource::disk_space, 70);
    fixture.lane.advance(std::chrono::milliseconds(250));
    CHECK(fixture.published.size() == 3);
    CHECK(fixture.published.back().level == kNormal);
    CHECK(
        fixture.log.lines() ==
        std::vector<std::string>{
            "back pressure rises level=medium was=normal reading=disk-space: 95.0 % used",
            "back pressure falls level=normal was=medium reading=disk-space: 70.0 % used"});

    fixture.monitor.stop();
    fixture.lane.advance(std::chrono::seconds(3));
    CHECK(fixture.lane.lane.tasks().live() == 0);
}

TEST_CASE("The queue's length is the store's", "[pressure]") {
    Fixture fixture;

    fixture.start();
    fixture.lane.advance(std::chrono::seconds(1));

    CHECK(fixture.monitor.meter().readings().queue_length == 0);
    CHECK(
        describe(Resource::queue_length, fixture.monitor.meter().readings()) ==
        "queue-length: 0 recipients wait");
    CHECK(
        describe(Resource::disk_inodes, fixture.monitor.meter().readings()) ==
        "disk-inodes: cannot be read");
    fixture.monitor.stop();
    fixture.lane.advance(std::chrono::seconds(3));
}

TEST_CASE("Recipients are stuck when nothing has moved for three minutes", "[pressure]") {
    StuckWatch watch;
    const MonotonicTime start{};
    const auto after = [start](int seconds) {
        return start + std::chrono::seconds(seconds);
    };

    watch.update(5, 0, after(0));
    watch.update(5, 0, after(179));
    CHECK(watch.stuck() == 0);
    watch.update(5, 0, after(180));
    CHECK(watch.stuck() == 5);
    watch.update(5, 1, after(182));
    CHECK(watch.stuck() == 0);
    watch.update(5, 0, after(184));
    watch.update(5, 0, after(300));
    CHECK(watch.stuck() == 0);
    watch.update(0, 0, after(400));
    watch.update(5, 0, after(500));
    CHECK(watch.stuck() == 0);
}

TEST_CASE("A percentage is of at most the last part of a large resource", "[pressure]") {
    constexpr std::uint64_t kGigabyte = 1'000'000'000;

    CHECK(percent_used(100, 25, 1000) == 75);
    CHECK(percent_used(100, 0, 1000) == 100);
    CHECK(percent_used(100, 100, 1000) == 0);
    CHECK(percent_used(0, 0, 1000) == 0);
    // 4 TB with 440 GB left: no pressure; with 500 MB left: high.
    CHECK(percent_used(4000 * kGigabyte, 440 * kGigabyte, kDiskReference) == 0);
    CHECK(percent_used(4000 * kGigabyte, kGigabyte / 2, kDiskReference) == 99);
}

TEST_CASE("A value of meminfo is found by its whole name", "[pressure]") {
    constexpr std::string_view text =
        "MemTotal:       24684000 kB\nMemFree: 1 kB\nMemAvailable:   2 kB\nHugePages_Total:  3\n";

    CHECK(meminfo_value(text, "MemTotal") == 24684000ULL * 1024);
    CHECK(meminfo_value(text, "MemAvailable") == 2048);
    CHECK(!meminfo_value(text, "Mem"));
    CHECK(!meminfo_value(text, "HugePages_Total"));
    CHECK(!meminfo_value("", "MemTotal"));
}

TEST_CASE("This machine's resources can be read", "[pressure]") {
    const auto readings = SystemResources(".").read();

    for (const auto resource :
         {Resource::disk_space,
          Resource::process_memory,
          Resource::system_memory,
          Resource::descriptors}) {
        CAPTURE(describe(resource, readings));
        REQUIRE(readings.of(resource));
        CHECK(*readings.of(resource) >= 0);
        CHECK(*readings.of(resource) <= 100);
    }
    CHECK(*readings.process_memory > 0);
    CHECK(*readings.descriptors > 0);
}
