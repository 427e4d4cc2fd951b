// Appointments with messages: when the queue must look at one whatever its recipients wait for. A
// deadline (RFC 2852), and the age of what was released later (RFC 4865), which the age sweeps have
// passed by. Known from memory only: a scan of the store finds them after a start. Bounded: beyond
// the limit the farthest are forgotten, and a scan is due when the first of those would be. Owned
// by QueueManager, used on the queue lane.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/id.hpp"

#include <cstddef>
#include <optional>
#include <set>
#include <utility>

namespace mailflow {

class Agenda {
  public:
    explicit Agenda(std::size_t limit) noexcept
        : limit_(limit) {}

    void note(UtcTime when, QueueId id);

    void cancel(UtcTime when, QueueId id) { all_.erase({when, id}); }

    // The time of the next appointment, or of the scan that replaces forgotten ones.
    [[nodiscard]] std::optional<UtcTime> earliest() const;
    [[nodiscard]] std::optional<QueueId> take_due(UtcTime now);
    // From then on the store may know appointments that are not here.
    void ask_scan(UtcTime when);
    // True once when that time has come: scan.
    [[nodiscard]] bool take_scan(UtcTime now);

    [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }

  private:
    std::size_t limit_;
    std::set<std::pair<UtcTime, QueueId>> all_;
    std::optional<UtcTime> scan_;
};

}  // namespace mailflow
