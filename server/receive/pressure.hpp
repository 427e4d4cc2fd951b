// Back pressure as the receive side sees it (reference 11.2): how short of resources this node is,
// and what that means for a sender. The level is a value each lane holds (ReceiveLane), posted
// there by the daemon's ResourceMonitor; the decision is a pure function. Delivery always goes on.
#pragma once

#include "server/receive/admission.hpp"

#include <cstdint>
#include <string_view>

namespace mailflow {

enum class PressureLevel : std::uint8_t { normal, medium, high };

// The most pressing first; the queue is last because it only slows down at medium.
enum class Resource : std::uint8_t {
    disk_space,      // used, of the state directory's file system
    disk_inodes,     // likewise
    process_memory,  // of this process, in the memory of the system or its control group
    system_memory,   // used by everybody
    descriptors,     // open, of the process' limit
    queue_length,    // recipients that wait for an attempt, due now
};

// `normal`, `medium`, `high`; `disk-space`, `disk-inodes` …
[[nodiscard]] std::string_view to_text(PressureLevel level) noexcept;
[[nodiscard]] std::string_view to_text(Resource resource) noexcept;

// The worst of all resources. `resource` says nothing at normal.
struct Pressure {
    PressureLevel level = PressureLevel::normal;
    Resource resource = Resource::disk_space;
    // Metering intervals (two seconds) since the level has been other than normal.
    std::uint32_t polls = 0;

    friend bool operator==(const Pressure&, const Pressure&) = default;
};

// Medium for the queue's length slows senders down before it refuses them: 10 s, 5 s more with each
// interval.
constexpr auto kFirstPressureDelay = std::chrono::seconds(10);
constexpr auto kPressureDelayStep = std::chrono::seconds(5);
constexpr auto kMaxPressureDelay = std::chrono::seconds(55);
// So many intervals (10 minutes) later a queue that is still long refuses like every other
// resource.
constexpr std::uint32_t kPollsBeforeRefusal = 300;

// Who says MAIL.
struct PressureSender {
    bool authenticated = false;
    bool trusted = false;      // the connector's group `trusted`
    bool null_sender = false;  // a DSN: taken until the level is high (decisions 1.14)
};

// Refused with 452 4.3.1, or accepted after `delay`.
struct PressureVerdict {
    Verdict verdict;
    Duration delay{0};
};

[[nodiscard]] PressureVerdict check_pressure(
    const Pressure& pressure, const PressureSender& sender);

}  // namespace mailflow
