// /v1/tls/peers, /v1/tls/policies, /v1/tls/results: what is remembered about other hosts' TLS;
// /v1/tls/names/NAME: forgets all of one host or domain. On the console lane.
#pragma once

#include "server/http/http_message.hpp"
#include "transport/base/clock.hpp"
#include "transport/base/log.hpp"
#include "transport/ports/peer_memory.hpp"

namespace mailflow {

class TlsResource {
  public:
    // All outlive this. `peers` null: nothing is remembered, as nothing is sent with TLS.
    TlsResource(PeerMemory* peers, const Clock& clock, Log log) noexcept
        : peers_(peers)
        , clock_(clock)
        , log_(log) {}

    [[nodiscard]] HttpResponse handle(const HttpRequest& request);

  private:
    [[nodiscard]] HttpResponse forget(const HttpRequest& request);

    PeerMemory* peers_;
    const Clock& clock_;
    Log log_;
};

}  // namespace mailflow
