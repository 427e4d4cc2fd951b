// Every bound of the queue in one place. The daemon uses the defaults; tests make them small.
#pragma once

#include "transport/base/clock.hpp"

#include <cstddef>
#include <cstdint>

namespace mailflow {

struct QueueLimits {
    // Recipient rows in memory at any time: the active set and the pages being read.
    std::size_t active_rows = 10'000;
    // Messages a read brings at a time.
    std::size_t page = 100;
    // Octets of bodies kept in memory between announcement and delivery; beyond it they are read
    // back.
    std::uint64_t body_bytes = 64ULL * 1024 * 1024;
    // Attempts running at the same time, all next hops together; outbound ones have the
    // organization's limit as well.
    std::size_t running = 10'000;
    // Of those, attempts at next hops that are failing: dead hosts must not keep the others
    // waiting. Never more than half of what the organization allows.
    std::size_t running_at_failing = 500;
    // Attempts at the same time per destination: where the window starts, and how far it opens
    // where policies, connectors and the organization set no limit.
    std::uint32_t first_window = 5;
    std::uint32_t widest_window = 1000;
    // What a next hop may hold beyond its window: recipients it can send over kept connections.
    std::uint32_t messages_per_connection = 20;
    // Next hops remembered; beyond it idle ones are forgotten first, then those whose retry is
    // farthest.
    std::size_t hops = 10'000;
    // A next hop that has nothing to do is shown as Ready that long.
    Duration hop_idle = std::chrono::minutes(3);

    // Deadlines and ages of messages kept in memory; those beyond are found by a scan when due.
    std::size_t appointments = 100'000;

    Duration maintenance_interval = std::chrono::minutes(1);
    // While due rows wait for room, how often the queue looks for others that have become due
    // meanwhile.
    Duration due_check_interval = std::chrono::seconds(1);
    // The failures of a message are reported together when nothing of it runs any more, or this
    // long after the first.
    Duration report_after = std::chrono::minutes(10);
};

}  // namespace mailflow
