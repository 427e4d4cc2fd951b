#include "server/receive/pressure.hpp"

#include <algorithm>

namespace mailflow {

namespace {

PressureVerdict refuse(const Pressure& pressure) {
    // The reason names the resource; the client is told no more than that there is none left.
    std::string_view reason;
    switch (pressure.resource) {
        case Resource::disk_space: reason = "back pressure: disk-space"; break;
        case Resource::disk_inodes: reason = "back pressure: disk-inodes"; break;
        case Resource::process_memory: reason = "back pressure: process-memory"; break;
        case Resource::system_memory: reason = "back pressure: system-memory"; break;
        case Resource::queue_length: reason = "back pressure: queue-length"; break;
        case Resource::descriptors: reason = "back pressure: descriptors"; break;
    }
    // RFC 3463 §3.4: X.3.1, mail system full.
    return {{smtp::make_reply(452, "4.3.1", "Insufficient system resources"), reason}, Duration(0)};
}

}  // namespace

std::string_view to_text(PressureLevel level) noexcept {
    switch (level) {
        case PressureLevel::normal: return "normal";
        case PressureLevel::medium: return "medium";
        case PressureLevel::high: break;
    }
    return "high";
}

std::string_view to_text(Resource resource) noexcept {
    switch (resource) {
        case Resource::disk_space: return "disk-space";
        case Resource::disk_inodes: return "disk-inodes";
        case Resource::process_memory: return "process-memory";
        case Resource::system_memory: return "system-memory";
        case Resource::queue_length: return "queue-length";
        case Resource::descriptors: break;
    }
    return "descriptors";
}

PressureVerdict check_pressure(const Pressure& pressure, const PressureSender& sender) {
    if (pressure.level == PressureLevel::normal) {
        return {};
    }
    if (pressure.level == PressureLevel::high) {
        return refuse(pressure);
    }
    if (sender.authenticated || sender.trusted || sender.null_sender) {
        return {};
    }
    if (pressure.resource != Resource::queue_length || pressure.polls >= kPollsBeforeRefusal) {
        return refuse(pressure);
    }
    const auto delay = kFirstPressureDelay + kPressureDelayStep * pressure.polls;
    return {Verdict::accept(), std::min<Duration>(delay, kMaxPressureDelay)};
}

}  // namespace mailflow
