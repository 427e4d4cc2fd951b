#include "server/receive/rate_limiter.hpp"

#include <algorithm>

namespace mailflow {

// ---- connections

ConnectionCounts ConnectionCounter::counts(
    const std::string& connector, const IpAddress& source) const {
    const auto found = connectors_.find(connector);
    if (found == connectors_.end()) {
        return {};
    }
    const auto from = found->second.sources.find(source);
    return {found->second.total, from == found->second.sources.end() ? 0 : from->second};
}

void ConnectionCounter::add(const std::string& connector, const IpAddress& source) {
    auto& entry = connectors_[connector];
    ++entry.total;
    ++entry.sources[source];
}

void ConnectionCounter::remove(const std::string& connector, const IpAddress& source) noexcept {
    const auto found = connectors_.find(connector);
    if (found == connectors_.end()) {
        return;
    }
    auto& entry = found->second;
    const auto from = entry.sources.find(source);
    if (from != entry.sources.end() && --from->second == 0) {
        entry.sources.erase(from);
    }
    if (--entry.total == 0) {
        connectors_.erase(found);
    }
}

// ---- messages

bool RateLimiter::take(
    const std::string& connector,
    const IpAddress& source,
    std::uint32_t per_minute,
    MonotonicTime now) {
    const auto capacity = static_cast<double>(per_minute);
    if (buckets_.size() >= kMaxSources) {
        forget_full(now);
    }
    auto [entry, is_new] = buckets_.try_emplace({connector, source}, Bucket{capacity, now});
    auto& bucket = entry->second;
    const std::chrono::duration<double> passed = now - bucket.filled;
    bucket.tokens = std::min(capacity, bucket.tokens + passed.count() * capacity / 60.0);
    bucket.filled = now;
    if (bucket.tokens < 1) {
        return false;
    }
    bucket.tokens -= 1;
    return true;
}

// After a minute without a message a bucket is full again: as good as none.
void RateLimiter::forget_full(MonotonicTime now) {
    std::erase_if(buckets_, [now](const auto& entry) {
        return now - entry.second.filled >= std::chrono::minutes(1);
    });
    if (buckets_.size() >= kMaxSources) {
        buckets_.clear();  // a flood of sources: rather forgive than grow
    }
}

}  // namespace mailflow
