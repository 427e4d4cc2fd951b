// What makes a node seen: its metrics, its protocol log, the resource monitor, and how late its
// lanes are. One object of MailFlow, built and destroyed with it on the main thread. Without a
// ResourceReader (simulation, tests) nothing is metered and no timer runs.
#pragma once

#include "server/daemon/resource_monitor.hpp"
#include "server/receive/protocol_log.hpp"
#include "server/receive/receive_metrics.hpp"
#include "server/receive/receive_services.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailflow {

// What a scrape and `status` show of the queue.
struct QueueFigures {
    QueueTotals totals;
    std::uint64_t active_recipients = 0;
    std::uint64_t running_attempts = 0;
    std::uint64_t stuck_recipients = 0;
    Pressure pressure;
    std::array<PressureLevel, kResources> levels{};  // by Resource
    ResourceReadings readings;
};

class Observation {
  public:
    // All outlive this.
    struct Parts {
        std::vector<Lane*> lanes;  // never empty; the first is the queue lane
        TaskRunner& keeper;        // writes the protocol log
        TaskRunner& worker;
        Files& files;
        const Clock& clock;
        ResourceReader* resources = nullptr;
        Log log;
    };

    Observation(const std::string& state_dir, Parts parts);
    Observation(const Observation&) = delete;
    Observation& operator=(const Observation&) = delete;

    [[nodiscard]] ReceiveMetrics& receive_metrics(std::size_t lane) { return *receive_.at(lane); }

    [[nodiscard]] ProtocolLog& protocol_log() noexcept { return protocol_log_; }

    // On the queue lane. `active`: recipients the queue has in memory; on the queue lane.
    void start(
        QueueStore& store,
        std::function<std::size_t()> active,
        const std::vector<ReceiveLane*>& receive);
    // On the queue lane. What runs ends within a reading, or when its lane stops.
    void stop();
    // When all sessions are over: the protocol log is on disk. On any lane.
    Task<bool> close();

    // A few times a second, on one lane: lets the protocol log write, and sweeps it once an hour.
    void tend();

    // On the queue lane; `totals` and the queue's own figures are the caller's to fill in.
    [[nodiscard]] QueueFigures figures() const;
    // Prometheus' text, with gauges as in `figures`. On the console lane.
    [[nodiscard]] std::string metrics_text(const QueueFigures& figures);

  private:
    Task<void> watch_lane(Lane* lane, Histogram lag);
    static void publish(const std::vector<ReceiveLane*>& receive, const Pressure& pressure);

    Parts parts_;
    Metrics metrics_;
    ProtocolLog protocol_log_;
    std::vector<std::unique_ptr<ReceiveMetrics>> receive_;
    std::unique_ptr<ResourceMonitor> monitor_;
    MonotonicTime started_;
    MonotonicTime next_sweep_;
    std::uint64_t lost_lines_ = 0;  // as counted so far
    std::atomic<bool> stopping_ = false;
};

}  // namespace mailflow
