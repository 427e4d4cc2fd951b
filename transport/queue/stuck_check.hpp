// Is there anything that will move this recipient (product: every live recipient has a due time, a
// running attempt, or an administrator's hold)? Pure. Asked by QueueManager's watchdog, for rows
// that rest on disk.
#pragma once

#include "transport/org/next_hop.hpp"
#include "transport/ports/records/queued_message.hpp"

namespace mailflow {

// So long a row may be due before something is wrong: the queue looks for due rows once a second,
// and for all once a minute.
constexpr Duration kStuckPatience = std::chrono::minutes(10);
// A due time so far behind the end of the message was set by a clock that was wrong.
constexpr Duration kDueBehindEnd = std::chrono::hours(24);

enum class Flow : std::uint8_t {
    moves,
    lost_hold,  // held, but no administrator holds the message
    lost_hop,   // deferred to a next hop that cannot be read
    lost_due,   // due long after its message is over
    forgotten,  // due, and nothing takes it although it could
};

[[nodiscard]] const char* to_text(Flow flow) noexcept;

struct FlowFacts {
    UtcTime now{};
    UtcTime accepted{};
    UtcTime expires{};
    bool held = false;      // the message
    bool has_room = false;  // there is room in memory for what is due
    bool is_busy = false;   // its hop has work or is in retry, or is not known to be idle
};

[[nodiscard]] Flow flow_of(const QueuedRecipient& recipient, const FlowFacts& facts);

}  // namespace mailflow
