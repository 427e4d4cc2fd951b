// Watches what this node could run short of (reference 11.2): reads every two seconds, turns
// readings into levels with hysteresis, publishes the worst. The reading is a seam, so tests and
// the simulation give values; PressureMeter is pure. ResourceMonitor lives on the queue lane, owned
// by the daemon's composition.
#pragma once

#include "server/daemon/stuck_watch.hpp"
#include "server/receive/pressure.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/net/lane.hpp"
#include "transport/ports/queue_store.hpp"

#include <array>
#include <functional>
#include <optional>
#include <string>

namespace mailflow {

// In percent, but for the queue. None: cannot be told here (no inodes on btrfs, no /proc).
struct ResourceReadings {
    std::optional<double> disk_space;
    std::optional<double> disk_inodes;
    std::optional<double> process_memory;
    std::optional<double> system_memory;
    std::optional<double> descriptors;
    std::uint64_t queue_length = 0;  // the monitor's to fill in

    [[nodiscard]] std::optional<double> of(Resource resource) const noexcept;
};

class ResourceReader {
  public:
    virtual ~ResourceReader() = default;
    // May block; on a worker.
    virtual ResourceReadings read() = 0;
};

// When a level is reached going up, and when it is left going down: the four columns of reference
// 11.2. Up at or over, down at or under.
struct PressureThresholds {
    double to_medium;
    double to_high;
    double high_to_medium;
    double medium_to_low;
};

[[nodiscard]] const PressureThresholds& thresholds_of(Resource resource) noexcept;

constexpr std::size_t kResources = 6;
constexpr std::array<Resource, kResources> kAllResources = {
    Resource::disk_space,
    Resource::disk_inodes,
    Resource::process_memory,
    Resource::system_memory,
    Resource::descriptors,
    Resource::queue_length};

constexpr Duration kMeteringInterval = std::chrono::seconds(2);
// While there is pressure: whoever made room is taken in again at once.
constexpr Duration kPressedInterval = std::chrono::milliseconds(250);
// A storm of connections takes all descriptors for a moment and passes: they press only when they
// have been short for so long.
constexpr Duration kDescriptorPatience = std::chrono::seconds(10);

// The level of each resource, and the worst. A level follows every reading at once (but for
// descriptors): the distance between its thresholds keeps it from flapping. Of the reference's
// histories one is left, the 300 readings before a long queue refuses (kPollsBeforeRefusal). Pure.
class PressureMeter {
  public:
    // Of the newest readings. A resource without a reading is normal.
    const Pressure& update(const ResourceReadings& readings, MonotonicTime now) noexcept;

    [[nodiscard]] const Pressure& pressure() const noexcept { return pressure_; }

    [[nodiscard]] PressureLevel level(Resource resource) const noexcept {
        return levels_.at(static_cast<std::size_t>(resource));
    }

    [[nodiscard]] const ResourceReadings& readings() const noexcept { return readings_; }

  private:
    [[nodiscard]] bool have_been_short(PressureLevel level, MonotonicTime now) noexcept;

    std::array<PressureLevel, kResources> levels_{};
    ResourceReadings readings_;
    Pressure pressure_;
    MonotonicTime pressed_since_{};
    std::optional<MonotonicTime> descriptors_short_since_;
};

class ResourceMonitor {
  public:
    // All outlive the monitor and its task.
    struct Parts {
        Lane& lane;  // the queue lane
        ResourceReader& reader;
        TaskRunner& worker;
        QueueStore& store;                    // for the queue's length
        std::function<std::size_t()> active;  // recipients the queue has in memory; on the lane
        // On the lane, whenever the pressure is another one than before.
        std::function<void(const Pressure&)> publish;
        Log log;
    };

    explicit ResourceMonitor(Parts parts);

    // Until `stop`, or until the lane stops. Once.
    Task<void> run();

    // The task ends at its next reading.
    void stop() noexcept { stopping_ = true; }

    [[nodiscard]] const PressureMeter& meter() const noexcept { return meter_; }

    // Recipients nothing will move; 0 unless something is broken.
    [[nodiscard]] std::uint64_t stuck() const noexcept { return stuck_.stuck(); }

  private:
    void take(const ResourceReadings& readings, MonotonicTime now);
    void say_change(const Pressure& before) const;

    Parts parts_;
    PressureMeter meter_;
    StuckWatch stuck_;
    bool stopping_ = false;
};

// `disk-space: 91.0 % used`, `queue-length: 12000 recipients wait`.
[[nodiscard]] std::string describe(Resource resource, const ResourceReadings& readings);

}  // namespace mailflow
