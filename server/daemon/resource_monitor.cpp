#include "server/daemon/resource_monitor.hpp"

#include <fmt/format.h>

namespace mailflow {

namespace {

// Reference 11.2: UsedDiskSpace, PrivateBytes, SystemMemory. Inodes as disk space. Descriptors are
// ours: they are short when many clients are connected, which refusing mail does not change, so
// they bite late.
constexpr PressureThresholds kDisk{89, 99, 90, 80};
constexpr PressureThresholds kProcessMemory{72, 75, 73, 71};
constexpr PressureThresholds kSystemMemory{88, 94, 89, 84};
constexpr PressureThresholds kDescriptors{90, 98, 95, 85};
// Deviation: a hundred times the reference's 9999, 15000, 10000 and 2000. Those protect a queue in
// memory; this one is on disk and costs the same at any length, so what they protect from is only a
// queue that delivery will not see the end of.
constexpr PressureThresholds kQueueLength{999'900, 1'500'000, 1'000'000, 200'000};

PressureLevel next_level(
    PressureLevel now, double reading, const PressureThresholds& thresholds) noexcept {
    if (reading >= thresholds.to_high) {
        return PressureLevel::high;
    }
    if (now == PressureLevel::high && reading > thresholds.high_to_medium) {
        return PressureLevel::high;
    }
    if (reading >= thresholds.to_medium) {
        return PressureLevel::medium;
    }
    if (now != PressureLevel::normal && reading > thresholds.medium_to_low) {
        return PressureLevel::medium;
    }
    return PressureLevel::normal;
}

}  // namespace

std::optional<double> ResourceReadings::of(Resource resource) const noexcept {
    switch (resource) {
        case Resource::disk_space: return disk_space;
        case Resource::disk_inodes: return disk_inodes;
        case Resource::process_memory: return process_memory;
        case Resource::system_memory: return system_memory;
        case Resource::descriptors: return descriptors;
        case Resource::queue_length: break;
    }
    return static_cast<double>(queue_length);
}

const PressureThresholds& thresholds_of(Resource resource) noexcept {
    switch (resource) {
        case Resource::disk_space:
        case Resource::disk_inodes: return kDisk;
        case Resource::process_memory: return kProcessMemory;
        case Resource::system_memory: return kSystemMemory;
        case Resource::descriptors: return kDescriptors;
        case Resource::queue_length: break;
    }
    return kQueueLength;
}

std::string describe(Resource resource, const ResourceReadings& readings) {
    const auto reading = readings.of(resource);
    if (!reading) {
        return std::string(to_text(resource)) + ": cannot be read";
    }
    if (resource == Resource::queue_length) {
        return fmt::format("{}: {:.0f} recipients wait", to_text(resource), *reading);
    }
    return fmt::format("{}: {:.1f} % used", to_text(resource), *reading);
}

const Pressure& PressureMeter::update(
    const ResourceReadings& readings, MonotonicTime now) noexcept {
    readings_ = readings;
    Pressure worst;
    for (const auto resource : kAllResources) {
        auto& level = levels_.at(static_cast<std::size_t>(resource));
        const auto reading = readings.of(resource);
        level =
            reading ? next_level(level, *reading, thresholds_of(resource)) : PressureLevel::normal;
        if (resource == Resource::descriptors && !have_been_short(level, now)) {
            level = PressureLevel::normal;
        }
        if (level > worst.level) {
            worst.level = level;
            worst.resource = resource;
        }
    }
    if (worst.level != PressureLevel::normal) {
        if (pressure_.level == PressureLevel::normal) {
            pressed_since_ = now;
        }
        const auto polls = (now - pressed_since_) / kMeteringInterval;
        worst.polls =
            static_cast<std::uint32_t>(std::min<std::int64_t>(polls, kPollsBeforeRefusal));
    }
    pressure_ = worst;
    return pressure_;
}

bool PressureMeter::have_been_short(PressureLevel level, MonotonicTime now) noexcept {
    if (level == PressureLevel::normal) {
        descriptors_short_since_.reset();
        return false;
    }
    if (!descriptors_short_since_) {
        descriptors_short_since_ = now;
    }
    return now - *descriptors_short_since_ >= kDescriptorPatience;
}

ResourceMonitor::ResourceMonitor(Parts parts)
    : parts_(std::move(parts)) {}

Task<void> ResourceMonitor::run() {
    const auto read = [this] {
        return parts_.reader.read();
    };
    while (!stopping_ && !parts_.lane.is_stopping()) {
        auto readings = co_await offload(parts_.worker, read);
        const auto totals = co_await parts_.store.totals();
        if (stopping_) {
            co_return;
        }
        // A store that does not answer is not short of anything: its failure is told elsewhere.
        readings.queue_length = totals ? totals->ready_recipients : 0;
        const auto now = parts_.lane.clock().monotonic();
        take(readings, now);
        stuck_.update(readings.queue_length, parts_.active(), now);
        const bool pressed = meter_.pressure().level != PressureLevel::normal;
        const auto next = now + (pressed ? kPressedInterval : kMeteringInterval);
        co_await parts_.lane.sleep_until(next);
    }
}

void ResourceMonitor::take(const ResourceReadings& readings, MonotonicTime now) {
    const auto before = meter_.pressure();
    const auto& pressure = meter_.update(readings, now);
    if (pressure == before) {
        return;
    }
    if (pressure.level != before.level) {
        say_change(before);
    }
    parts_.publish(pressure);
}

// One line a change (reference 11.2: events 15004 up, 15005 down).
void ResourceMonitor::say_change(const Pressure& before) const {
    const auto& now = meter_.pressure();
    const auto resource = now.level == PressureLevel::normal ? before.resource : now.resource;
    const auto words = describe(resource, meter_.readings());
    if (now.level > before.level) {
        parts_.log.warning(
            "back pressure rises",
            {{"level", to_text(now.level)}, {"was", to_text(before.level)}, {"reading", words}});
    } else {
        parts_.log.info(
            "back pressure falls",
            {{"level", to_text(now.level)}, {"was", to_text(before.level)}, {"reading", words}});
    }
}

}  // namespace mailflow
