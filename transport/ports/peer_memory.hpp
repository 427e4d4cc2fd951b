// What is remembered about other hosts between attempts and across restarts: MTA-STS policies, TLS
// that failed where it was optional, and what TLS came to (for reports, RFC 8460). Losing it costs
// a look-up or a failed handshake, never mail and never a demand. Read on every attempt, so reading
// is from memory; writing is remembered at once and stored behind. One per lane or shared behind a
// lock that is never held across co_await; any lane.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/ports/records/tls_records.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// Bounds, with the oldest going first.
constexpr std::size_t kMaxRememberedPeers = 10'000;
constexpr std::size_t kMaxStsPolicies = 10'000;
constexpr std::size_t kMaxTlsResults = 10'000;  // rows of a day

class PeerMemory {
  public:
    virtual ~PeerMemory() = default;

    // ---- MTA-STS (RFC 8461 §3): the newest policy fetched, also when expired at `now`
    [[nodiscard]] virtual std::optional<StsPolicy> find_policy(std::string_view domain) const = 0;
    virtual void keep_policy(StsPolicy policy) = 0;
    virtual void forget_policy(std::string_view domain) = 0;

    // ---- peers whose optional TLS failed: spoken to in clear until `until`
    [[nodiscard]] virtual std::optional<TlsPeer> find_peer(
        std::string_view host, UtcTime now) const = 0;
    virtual void keep_peer(TlsPeer peer) = 0;

    // ---- what TLS came to (RFC 8460 §4.2), summed up by day, policy and result
    virtual void count(const TlsResult& result, UtcTime now) = 0;

    // ---- for people: `smtpctl tls peers|policies|results`; `forget`: all of one host or domain
    [[nodiscard]] virtual std::vector<TlsPeer> peers() const = 0;
    [[nodiscard]] virtual std::vector<StsPolicy> policies() const = 0;
    [[nodiscard]] virtual std::vector<TlsResultSum> results() const = 0;
    virtual bool forget(std::string_view name) = 0;
};

}  // namespace mailflow
