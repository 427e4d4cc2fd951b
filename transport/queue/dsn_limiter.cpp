#include "transport/queue/dsn_limiter.hpp"

#include <algorithm>

namespace mailflow {

bool DsnLimiter::allows(
    const EmailAddress& sender, std::optional<std::uint32_t> limit, MonotonicTime now) const {
    if (!limit) {
        return true;
    }
    const auto found = senders_.find(sender.lookup_key());
    const bool is_counted = found != senders_.end() && now - found->second.start < kWindow;
    return (is_counted ? found->second.reports : 0) < *limit;
}

void DsnLimiter::count(const EmailAddress& sender, MonotonicTime now) {
    const auto key = sender.lookup_key();
    if (!senders_.contains(key) && senders_.size() >= kMaxSenders) {
        make_room(now);
    }
    auto& window = senders_[key];
    if (window.reports == 0 || now - window.start >= kWindow) {
        window = {now, 0};
    }
    ++window.reports;
}

void DsnLimiter::make_room(MonotonicTime now) {
    std::erase_if(senders_, [&](const auto& entry) { return now - entry.second.start >= kWindow; });
    if (senders_.size() >= kMaxSenders) {
        senders_.erase(std::min_element(
            senders_.begin(), senders_.end(), [](const auto& one, const auto& other) {
                return one.second.start < other.second.start;
            }));
    }
}

void DsnLimiter::collect(WithheldReport report, MonotonicTime now) {
    if (collected_.total == 0) {
        collected_since_ = now;
    }
    ++collected_.total;
    if (collected_.listed.size() < kMaxListed) {
        collected_.listed.push_back(std::move(report));
    }
}

void DsnLimiter::put_back(WithheldReports reports, MonotonicTime now) {
    std::swap(collected_, reports);
    collected_.total += reports.total;
    for (auto& report : reports.listed) {
        if (collected_.listed.size() < kMaxListed) {
            collected_.listed.push_back(std::move(report));
        }
    }
    collected_since_ = now;
}

bool DsnLimiter::is_due(MonotonicTime now, bool at_once) const noexcept {
    return collected_.total > 0 && (at_once || now - collected_since_ >= kWindow);
}

}  // namespace mailflow
