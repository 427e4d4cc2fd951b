#include "transport/queue/stuck_check.hpp"

#include <algorithm>

namespace mailflow {

namespace {

Flow flow_of_deferred(const QueuedRecipient& recipient, const FlowFacts& facts) {
    const auto hop = NextHop::parse(recipient.next_hop);
    if (!hop) {
        return Flow::lost_hop;
    }
    if (hop->type == DeliveryType::future_release) {
        return Flow::moves;
    }
    if (recipient.due > std::max(facts.expires, facts.now) + kDueBehindEnd) {
        return Flow::lost_due;
    }
    const bool is_overdue = recipient.due + kStuckPatience < facts.now;
    return is_overdue && facts.has_room && !facts.is_busy && !hop->is_waiting_room()
               ? Flow::forgotten
               : Flow::moves;
}

}  // namespace

const char* to_text(Flow flow) noexcept {
    switch (flow) {
        case Flow::moves: return "moves";
        case Flow::lost_hold: return "held by nobody";
        case Flow::lost_hop: return "waits for a next hop that cannot be read";
        case Flow::lost_due: return "due after the end of its message";
        case Flow::forgotten: return "due, and nothing takes it";
    }
    return "";
}

Flow flow_of(const QueuedRecipient& recipient, const FlowFacts& facts) {
    if (facts.held || is_final(recipient.state)) {
        return Flow::moves;
    }
    switch (recipient.state) {
        case RecipientState::held: return Flow::lost_hold;
        case RecipientState::deferred: return flow_of_deferred(recipient, facts);
        default: break;
    }
    const bool is_overdue = facts.accepted + kStuckPatience < facts.now;
    return is_overdue && facts.has_room && !facts.is_busy ? Flow::forgotten : Flow::moves;
}

}  // namespace mailflow
