// A connection that a balancer made for somebody else: reads the PROXY header in front of it and
// gives the stream the addresses the header names. On the connection's lane, before there is a
// session.
#pragma once

#include "server/receive/receive_services.hpp"
#include "transport/net/stream.hpp"

#include <memory>

namespace mailflow {

// How long a balancer may take to say for whom it connects.
constexpr Duration kProxyHeaderPatience = std::chrono::seconds(10);

// The stream, from the octet behind the header on. Error::syntax when there is no header, or not
// one of ours; Error::timed_out, Error::cancelled when the server stops. Closed on failure.
Task<Result<std::unique_ptr<Stream>>> read_proxy_header(
    ReceiveLane& lane, std::unique_ptr<Stream> stream);

}  // namespace mailflow
