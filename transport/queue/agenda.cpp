#include "transport/queue/agenda.hpp"

#include <algorithm>

namespace mailflow {

void Agenda::note(UtcTime when, QueueId id) {
    all_.emplace(when, id);
    if (all_.size() > limit_) {
        const auto farthest = std::prev(all_.end());
        ask_scan(farthest->first);
        all_.erase(farthest);
    }
}

void Agenda::ask_scan(UtcTime when) {
    scan_ = scan_ ? std::min(*scan_, when) : when;
}

std::optional<UtcTime> Agenda::earliest() const {
    if (all_.empty()) {
        return scan_;
    }
    const auto first = all_.begin()->first;
    return scan_ ? std::min(*scan_, first) : first;
}

std::optional<QueueId> Agenda::take_due(UtcTime now) {
    if (all_.empty() || all_.begin()->first > now) {
        return std::nullopt;
    }
    const auto id = all_.begin()->second;
    all_.erase(all_.begin());
    return id;
}

bool Agenda::take_scan(UtcTime now) {
    if (!scan_ || *scan_ > now) {
        return false;
    }
    scan_.reset();
    return true;
}

}  // namespace mailflow
