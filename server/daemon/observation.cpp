#include "server/daemon/observation.hpp"

#include <utility>

namespace mailflow {

namespace {

constexpr Duration kLagInterval = std::chrono::milliseconds(500);
constexpr auto kSweepInterval = std::chrono::hours(1);

// Upper ends in seconds: a lane should be within the first two (style rule 21).
std::vector<double> lag_bounds() {
    return {0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1};
}

}  // namespace

Observation::Observation(const std::string& state_dir, Parts parts)
    : parts_(std::move(parts))
    , protocol_log_(
          state_dir + "/log/receive", {parts_.keeper, parts_.files, parts_.clock, parts_.log})
    , started_(parts_.clock.monotonic())
    , next_sweep_(started_) {
    for (std::size_t i = 0; i < parts_.lanes.size(); ++i) {
        receive_.push_back(std::make_unique<ReceiveMetrics>(metrics_));
    }
}

void Observation::start(
    QueueStore& store,
    std::function<std::size_t()> active,
    const std::vector<ReceiveLane*>& receive) {
    if (parts_.resources == nullptr) {
        return;
    }
    auto& home = *parts_.lanes.front();
    monitor_ = std::make_unique<ResourceMonitor>(ResourceMonitor::Parts{
        home,
        *parts_.resources,
        parts_.worker,
        store,
        std::move(active),
        [receive](const Pressure& pressure) { publish(receive, pressure); },
        parts_.log});
    home.spawn("resource monitor", monitor_->run());
    for (auto* const lane : parts_.lanes) {
        auto lag = metrics_.histogram(
            "mailflow_lane_lag_seconds", lag_bounds(), {{"lane", std::to_string(lane->number())}});
        lane->post([this, lane, lag] { lane->spawn("lane lag", watch_lane(lane, lag)); });
    }
}

void Observation::publish(const std::vector<ReceiveLane*>& receive, const Pressure& pressure) {
    for (auto* const lane : receive) {
        lane->services.lane.post([lane, pressure] { lane->pressure = pressure; });
    }
}

// asio.md E8: a handler that runs for long starves every session of its lane; here it shows.
Task<void> Observation::watch_lane(Lane* lane, Histogram lag) {
    while (!stopping_ && !lane->is_stopping()) {
        const auto due = lane->clock().monotonic() + kLagInterval;
        const auto error = co_await lane->sleep_until(due);
        if (!error) {
            const std::chrono::duration<double> late = lane->clock().monotonic() - due;
            lag.observe(late.count());
        }
    }
}

void Observation::stop() {
    stopping_ = true;
    if (monitor_) {
        monitor_->stop();
    }
}

Task<bool> Observation::close() {
    protocol_log_.close();
    // The keeper does its work in order: behind this nothing of the log is left.
    const auto settle = [] {
        return true;
    };
    const bool done = co_await offload(parts_.keeper, settle);
    co_return done;
}

void Observation::tend() {
    protocol_log_.flush();
    const auto now = parts_.clock.monotonic();
    if (now >= next_sweep_) {
        next_sweep_ = now + kSweepInterval;
        protocol_log_.sweep();
    }
}

QueueFigures Observation::figures() const {
    QueueFigures figures;
    if (monitor_) {
        figures.stuck_recipients = monitor_->stuck();
        figures.pressure = monitor_->meter().pressure();
        figures.readings = monitor_->meter().readings();
        for (const auto resource : kAllResources) {
            figures.levels.at(static_cast<std::size_t>(resource)) =
                monitor_->meter().level(resource);
        }
    }
    return figures;
}

std::string Observation::metrics_text(const QueueFigures& figures) {
    const auto set = [this](std::string_view name, std::uint64_t value) {
        metrics_.gauge(name).set(static_cast<double>(value));
    };
    set("mailflow_queue_messages", figures.totals.messages);
    set("mailflow_queue_deferred_recipients", figures.totals.deferred_recipients);
    set("mailflow_queue_held_messages", figures.totals.held_messages);
    set("mailflow_queue_ready_recipients", figures.totals.ready_recipients);
    set("mailflow_queue_active_recipients", figures.active_recipients);
    set("mailflow_queue_running_attempts", figures.running_attempts);
    set("mailflow_queue_stuck_recipients", figures.stuck_recipients);
    for (const auto resource : kAllResources) {
        const Metrics::Labels labels = {{"resource", std::string(to_text(resource))}};
        const auto level = figures.levels.at(static_cast<std::size_t>(resource));
        metrics_.gauge("mailflow_pressure_level", labels).set(static_cast<double>(level));
        if (const auto reading = figures.readings.of(resource)) {
            metrics_.gauge("mailflow_pressure_reading", labels).set(*reading);
        }
    }
    const auto lost = protocol_log_.lost();
    metrics_.counter("mailflow_protocol_log_lines_lost_total")
        .add(lost - std::exchange(lost_lines_, lost));
    const std::chrono::duration<double> up = parts_.clock.monotonic() - started_;
    metrics_.gauge("mailflow_uptime_seconds").set(up.count());
    return metrics_.text();
}

}  // namespace mailflow
