// A TrackingSink that keeps everything and answers queries from it. One thread.
#pragma once

#include "transport/base/ascii.hpp"
#include "transport/ports/tracking_sink.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace mailflow {

class MemoryTracking final : public TrackingSink {
  public:
    void append(TrackingEvent event) noexcept override { events_.push_back(std::move(event)); }

    Task<Result<std::vector<TrackingEvent>>> find(TrackingQuery query) override {
        std::vector<TrackingEvent> found;
        for (const auto& event : events_) {
            if (found.size() < query.limit && matches(event, query)) {
                found.push_back(event);
            }
        }
        co_return found;
    }

    [[nodiscard]] const std::vector<TrackingEvent>& events() const noexcept { return events_; }

    [[nodiscard]] std::size_t count(TrackingEventId id) const noexcept {
        return static_cast<std::size_t>(std::count_if(
            events_.begin(), events_.end(), [id](const auto& event) { return event.event == id; }));
    }

  private:
    static bool same(std::string_view pattern, std::string_view text) noexcept {
        if (pattern.starts_with("*@")) {
            const auto at = text.rfind('@');
            return at != std::string_view::npos &&
                   ascii::equal_ignoring_case(pattern.substr(1), text.substr(at));
        }
        return ascii::equal_ignoring_case(pattern, text);
    }

    static bool matches(const TrackingEvent& event, const TrackingQuery& query) {
        const auto& recipients = event.recipients;
        return (!query.queue_id || event.queue_id == *query.queue_id) &&
               (query.message_id.empty() || same(query.message_id, event.message_id)) &&
               (query.sender.empty() || same(query.sender, event.sender)) &&
               (query.recipient.empty() ||
                std::any_of(
                    recipients.begin(),
                    recipients.end(),
                    [&](const auto& recipient) { return same(query.recipient, recipient); })) &&
               (!query.since || event.time >= *query.since) &&
               (!query.until || event.time < *query.until) &&
               (!query.event || event.event == *query.event);
    }

    std::vector<TrackingEvent> events_;
};

}  // namespace mailflow
