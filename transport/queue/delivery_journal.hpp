// What became of recipients, for people: one log line a recipient and one tracking event for
// recipients that share an outcome. Owned by QueueManager, used on the queue lane; holds nothing
// between two flushes.
#pragma once

#include "transport/base/log.hpp"
#include "transport/ports/records/queued_message.hpp"
#include "transport/ports/tracking_sink.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

struct JournalEntry {
    TrackingEventId event = TrackingEventId::defer;
    const QueuedMessage& message;
    const QueuedRecipient& recipient;
    const NextHop& hop;
    const DeliveryStatus& status;
    UtcTime now{};
    Duration attempt{};      // how long the attempt took; zero when there was none
    std::string_view tls{};  // what TLS the host was spoken to in; empty: none
};

class DeliveryJournal {
  public:
    DeliveryJournal(TrackingSink& tracking, Log log) noexcept
        : tracking_(tracking)
        , log_(log) {}

    void add(const JournalEntry& entry);
    // Hands the collected event over.
    void flush();

  private:
    void log(const JournalEntry& entry) const;

    TrackingSink& tracking_;
    Log log_;
    std::optional<TrackingEvent> pending_;
};

// `mx1.contoso.com [192.0.2.1]:25`, as far as known.
[[nodiscard]] std::string remote_text(const DeliveryStatus& status);
// `<>` when null.
[[nodiscard]] std::string sender_text(const QueuedMessage& message);

}  // namespace mailflow
