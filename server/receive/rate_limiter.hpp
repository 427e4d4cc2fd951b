// Counts that protect the server: connections at once, in all and per source, and messages and
// recipients a minute and an hour per source. A source is an IPv4 address or an IPv6 /64, what one
// customer gets. Both belong to the accepting lane and are used on it only; memory is bounded by
// what is connected and by kMaxSources.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/ip_address.hpp"
#include "transport/org/receive_connector.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mailflow {

// The address itself, or the first of its /64.
[[nodiscard]] IpAddress source_network(const IpAddress& address) noexcept;

struct ConnectionCounts {
    std::uint32_t total = 0;   // of the connector
    std::uint32_t source = 0;  // of it from one source
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

// The windows of a connector; none: unlimited.
struct RateLimits {
    std::optional<std::uint32_t> messages_per_minute;
    std::optional<std::uint32_t> messages_per_hour;
    std::optional<std::uint32_t> recipients_per_minute;
    std::optional<std::uint32_t> recipients_per_hour;

    [[nodiscard]] static RateLimits of(const ReceiveConnector& connector) noexcept;

    [[nodiscard]] bool limits_messages() const noexcept {
        return messages_per_minute || messages_per_hour;
    }

    [[nodiscard]] bool limits_recipients() const noexcept {
        return recipients_per_minute || recipients_per_hour;
    }
};

// What the connector's rates are counted by for this client; none when it counts nobody
// (message_rate_source none). `account`: empty when nobody has logged in; counted without case.
[[nodiscard]] std::optional<std::string> rate_key(
    const ReceiveConnector& connector, const IpAddress& client, std::string_view account);

// Token buckets: a source may use its minute's or hour's worth at once, then in step with the rate.
class RateLimiter {
  public:
    // Beyond it the source that has been quiet for longest is forgotten, i.e. forgiven.
    static constexpr std::size_t kMaxSources = 100'000;

    // What is asked for: at MAIL one message, at RCPT one recipient.
    struct Use {
        std::uint32_t messages = 0;
        std::uint32_t recipients = 0;
    };

    // Takes from every window that has a limit, or from none: false when one of them has not
    // enough. `key`: of rate_key.
    [[nodiscard]] bool take(
        const std::string& key, const RateLimits& limits, Use use, MonotonicTime now);

    [[nodiscard]] std::size_t size() const noexcept { return sources_.size(); }

  private:
    static constexpr std::size_t kWindows = 4;

    struct Source {
        std::string key;
        std::array<double, kWindows> used{};  // tokens taken and not yet given back
        MonotonicTime settled;                // when `used` was right
    };

    using Sources = std::list<Source>;

    Source& source_of(const std::string& key, MonotonicTime now);

    Sources sources_;                                                 // the last used first
    std::unordered_map<std::string_view, Sources::iterator> by_key_;  // keys of the sources
};

}  // namespace mailflow
