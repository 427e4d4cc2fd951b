// Counts that protect the server: connections at once, in all and per source, and messages a minute
// per source. Both belong to the accepting lane and are used on it only; memory is bounded by what
// is connected and by kMaxSources.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/ip_address.hpp"
#include "transport/org/receive_connector.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

namespace mailflow {

struct ConnectionCounts {
    std::uint32_t total = 0;   // of the connector
    std::uint32_t source = 0;  // of it from one address
};

class ConnectionCounter {
  public:
    [[nodiscard]] ConnectionCounts counts(
        const std::string& connector, const IpAddress& source) const;
    void add(const std::string& connector, const IpAddress& source);
    void remove(const std::string& connector, const IpAddress& source) noexcept;

  private:
    struct PerConnector {
        std::uint32_t total = 0;
        std::unordered_map<IpAddress, std::uint32_t> sources;
    };

    std::map<std::string, PerConnector> connectors_;
};

// Token buckets: a source may send its minute's worth at once, then in step with the rate.
class RateLimiter {
  public:
    static constexpr std::size_t kMaxSources = 100'000;

    // Takes one message's token; false when there is none.
    [[nodiscard]] bool take(
        const std::string& connector,
        const IpAddress& source,
        std::uint32_t per_minute,
        MonotonicTime now);

    [[nodiscard]] std::size_t size() const noexcept { return buckets_.size(); }

  private:
    struct Bucket {
        double tokens = 0;
        MonotonicTime filled;
    };

    void forget_full(MonotonicTime now);

    std::map<std::pair<std::string, IpAddress>, Bucket> buckets_;
};

}  // namespace mailflow
