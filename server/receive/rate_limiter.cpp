#include "server/receive/rate_limiter.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>

namespace mailflow {

IpAddress source_network(const IpAddress& address) noexcept {
    if (address.is_v4()) {
        return address;
    }
    auto bytes = address.bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return IpAddress::v6(bytes);
}

// ---- connections

ConnectionCounts ConnectionCounter::counts(
    const std::string& connector, const IpAddress& source) const {
    const auto found = connectors_.find(connector);
    if (found == connectors_.end()) {
        return {};
    }
    const auto from = found->second.sources.find(source_network(source));
    return {found->second.total, from == found->second.sources.end() ? 0 : from->second};
}

void ConnectionCounter::add(const std::string& connector, const IpAddress& source) {
    auto& entry = connectors_[connector];
    ++entry.total;
    ++entry.sources[source_network(source)];
}

void ConnectionCounter::remove(const std::string& connector, const IpAddress& source) noexcept {
    const auto found = connectors_.find(connector);
    if (found == connectors_.end()) {
        return;
    }
    auto& entry = found->second;
    const auto from = entry.sources.find(source_network(source));
    if (from != entry.sources.end() && --from->second == 0) {
        entry.sources.erase(from);
    }
    if (--entry.total == 0) {
        connectors_.erase(found);
    }
}

// ---- messages and recipients

namespace {

constexpr double kMinute = 60;
constexpr double kHour = 3600;
// What rounding may cost: a token that is due is there.
constexpr double kRounding = 1e-6;

// A window: how much in which time, and what is asked of it.
struct Window {
    const std::optional<std::uint32_t>& limit;
    double seconds;
    std::uint32_t wanted;
};

}  // namespace

RateLimits RateLimits::of(const ReceiveConnector& connector) noexcept {
    return {
        connector.message_rate_limit,
        connector.message_rate_limit_per_hour,
        connector.recipient_rate_limit,
        connector.recipient_rate_limit_per_hour};
}

std::optional<std::string> rate_key(
    const ReceiveConnector& connector, const IpAddress& client, std::string_view account) {
    // A connector's name has no control octets, so no two keys run into each other.
    auto key = connector.name + '\n';
    switch (connector.message_rate_source) {
        case MessageRateSource::none: return std::nullopt;
        case MessageRateSource::all: return key + "all";
        case MessageRateSource::user:
            if (!account.empty()) {
                return key + "user\n" + ascii::to_lower(account);
            }
            break;
        case MessageRateSource::ip_address: break;
    }
    return key + "address\n" + source_network(client).text();
}

bool RateLimiter::take(
    const std::string& key, const RateLimits& limits, Use use, MonotonicTime now) {
    const std::array<Window, kWindows> windows{
        {{limits.messages_per_minute, kMinute, use.messages},
         {limits.messages_per_hour, kHour, use.messages},
         {limits.recipients_per_minute, kMinute, use.recipients},
         {limits.recipients_per_hour, kHour, use.recipients}}};
    auto& source = source_of(key, now);
    const std::chrono::duration<double> passed = now - source.settled;
    source.settled = now;
    bool enough = true;
    for (std::size_t i = 0; i < kWindows; ++i) {
        const auto& window = windows[i];
        if (!window.limit) {
            source.used[i] = 0;
            continue;
        }
        const double limit = *window.limit;
        source.used[i] = std::max(0.0, source.used[i] - passed.count() * limit / window.seconds);
        enough =
            enough && (window.wanted == 0 || source.used[i] + window.wanted <= limit + kRounding);
    }
    if (!enough) {
        return false;
    }
    for (std::size_t i = 0; i < kWindows; ++i) {
        if (windows[i].limit) {
            source.used[i] += windows[i].wanted;
        }
    }
    return true;
}

RateLimiter::Source& RateLimiter::source_of(const std::string& key, MonotonicTime now) {
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
        sources_.splice(sources_.begin(), sources_, found->second);
        return sources_.front();
    }
    if (sources_.size() >= kMaxSources) {
        by_key_.erase(sources_.back().key);
        sources_.pop_back();
    }
    sources_.push_front({key, {}, now});
    by_key_.emplace(sources_.front().key, sources_.begin());
    return sources_.front();
}

}  // namespace mailflow
