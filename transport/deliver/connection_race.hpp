// Connecting to a host by both address families (RFC 8305, in small): the second starts when the
// first has failed or has not connected for a while; whoever connects first is taken, the other is
// closed. Used by SessionOpener, on the lane.
#pragma once

#include "transport/net/network.hpp"

#include <memory>
#include <optional>

namespace mailflow {

// RFC 8305 §5: the "Connection Attempt Delay".
constexpr Duration kRivalDelay = std::chrono::milliseconds(250);

struct RaceResult {
    std::unique_ptr<Stream> stream;  // null: neither connected
    bool rival_won = false;
    ErrorCode error;  // of the first
};

// Everything but the endpoints outlives the race's losers, which end with their deadline.
[[nodiscard]] Task<RaceResult> connect_either(
    Lane& lane,
    Network& network,
    Endpoint first,
    Endpoint rival,
    std::optional<IpAddress> source,
    Duration patience);

}  // namespace mailflow
