#include "transport/base/metrics.hpp"

#include <algorithm>
#include <array>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <stdexcept>

namespace mailflow {

namespace {

using enum MetricKind;

// The names of all metrics in one place. Sorted. A counter's name ends in `_total`; octets and
// seconds are said in the name.
constexpr std::array kMetrics = {
    MetricInfo{
        "mailflow_lane_lag_seconds",
        histogram,
        "lane",
        "How late a lane runs what is due: a timer twice a second, due versus run."},
    MetricInfo{
        "mailflow_pressure_level",
        gauge,
        "resource",
        "Back pressure of a resource: 0 normal, 1 medium, 2 high."},
    MetricInfo{
        "mailflow_pressure_reading",
        gauge,
        "resource",
        "What was read last of a resource: percent used, for queue-length recipients."},
    MetricInfo{
        "mailflow_protocol_log_lines_lost_total",
        counter,
        "",
        "Protocol log lines that were dropped or that the disk did not take."},
    MetricInfo{
        "mailflow_queue_active_recipients", gauge, "", "Recipients the queue has in memory."},
    MetricInfo{
        "mailflow_queue_deferred_recipients",
        gauge,
        "",
        "Recipients that were tried and wait for their next attempt."},
    MetricInfo{"mailflow_queue_held_messages", gauge, "", "Messages an administrator holds."},
    MetricInfo{"mailflow_queue_messages", gauge, "", "Messages in the queue."},
    MetricInfo{
        "mailflow_queue_ready_recipients",
        gauge,
        "",
        "Recipients that are due: an attempt is under way, or waits for its turn."},
    MetricInfo{
        "mailflow_queue_running_attempts", gauge, "", "Delivery attempts that are under way."},
    MetricInfo{
        "mailflow_queue_stuck_recipients",
        gauge,
        "",
        "Recipients that nothing would move: due while the queue has had nothing in memory for "
        "three "
        "minutes, or found by the watchdog, which puts them back. Must be 0."},
    MetricInfo{
        "mailflow_receive_auth_total",
        counter,
        "mechanism,result",
        "Logins by mechanism and result: success, failure, cancelled, error."},
    MetricInfo{
        "mailflow_receive_bytes_total",
        counter,
        "direction",
        "Octets of SMTP sessions, in or out, inside TLS."},
    MetricInfo{
        "mailflow_receive_connections_refused_total",
        counter,
        "",
        "Connections that got no session; the reasons are among the refusals."},
    MetricInfo{
        "mailflow_receive_delayed_senders_total",
        counter,
        "",
        "MAIL commands that were answered late because of back pressure."},
    MetricInfo{
        "mailflow_receive_message_bytes_total", counter, "", "Octets of the messages accepted."},
    MetricInfo{
        "mailflow_receive_messages_total",
        counter,
        "",
        "Messages accepted: on stable storage and acknowledged."},
    MetricInfo{
        "mailflow_receive_recipients_total", counter, "", "Recipients of the messages accepted."},
    MetricInfo{
        "mailflow_receive_refusals_total",
        counter,
        "reason",
        "Connections, senders, recipients and messages refused, by the reason in the log."},
    MetricInfo{
        "mailflow_receive_replies_total",
        counter,
        "verb,class",
        "Replies by the command they answer and their class: 2xx to 5xx."},
    MetricInfo{"mailflow_receive_sessions", gauge, "", "SMTP sessions open now."},
    MetricInfo{
        "mailflow_receive_sessions_total",
        counter,
        "connector,outcome",
        "SMTP sessions that have ended, by kind of connector and how they ended."},
    MetricInfo{"mailflow_receive_tls_failures_total", counter, "", "TLS handshakes that failed."},
    MetricInfo{
        "mailflow_receive_tls_total",
        counter,
        "version,cipher",
        "TLS handshakes by what was agreed on."},
    MetricInfo{"mailflow_uptime_seconds", gauge, "", "Seconds since the daemon started."},
};

std::string label_names(const Metrics::Labels& labels) {
    std::string names;
    for (const auto& [name, value] : labels) {
        names += (names.empty() ? "" : ",") + name;
    }
    return names;
}

const MetricInfo* find_info(std::string_view name) noexcept {
    const auto* const found = std::find_if(
        kMetrics.begin(), kMetrics.end(), [name](const auto& info) { return info.name == name; });
    return found == kMetrics.end() ? nullptr : found;
}

// The table's row; throws when the program asks for something else than what it says.
const MetricInfo& info_of(std::string_view name, MetricKind kind, const Metrics::Labels& labels) {
    const auto* const found = find_info(name);
    if (found == nullptr || found->kind != kind || found->labels != label_names(labels)) {
        throw std::logic_error("no such metric: " + std::string(name));
    }
    return *found;
}

prometheus::Labels to_map(const Metrics::Labels& labels) {
    return {labels.begin(), labels.end()};
}

}  // namespace

std::span<const MetricInfo> metric_infos() noexcept {
    return kMetrics;
}

struct Metrics::Members {
    // A cache line each, so that lanes that count different things do not wait for each other.
    struct alignas(64) Count {
        std::atomic<std::uint64_t> value = 0;
    };

    using Counts = std::map<prometheus::Labels, std::unique_ptr<Count>>;

    std::vector<prometheus::MetricFamily> collect() const;

    prometheus::Registry registry;  // gauges and histograms
    mutable std::mutex mutex;
    std::map<std::string_view, Counts> counters;
};

std::vector<prometheus::MetricFamily> Metrics::Members::collect() const {
    auto families = registry.Collect();
    const std::lock_guard lock(mutex);
    for (const auto& [name, counts] : counters) {
        const auto& info = *find_info(name);
        prometheus::MetricFamily family;
        family.name = info.name;
        family.help = info.help;
        family.type = prometheus::MetricType::Counter;
        for (const auto& [labels, count] : counts) {
            auto& metric = family.metric.emplace_back();
            for (const auto& [label, value] : labels) {
                metric.label.push_back({label, value});
            }
            metric.counter.value = static_cast<double>(count->value.load());
        }
        families.push_back(std::move(family));
    }
    return families;
}

// ---- handles

void Gauge::add(double change) noexcept {
    if (gauge_ != nullptr) {
        gauge_->Increment(change);
    }
}

void Gauge::set(double value) noexcept {
    if (gauge_ != nullptr) {
        gauge_->Set(value);
    }
}

double Gauge::value() const noexcept {
    return gauge_ == nullptr ? 0 : gauge_->Value();
}

void Histogram::observe(double value) noexcept {
    if (histogram_ != nullptr) {
        histogram_->Observe(value);
    }
}

// ---- registry

Metrics::Metrics()
    : members_(std::make_unique<Members>()) {}

Metrics::~Metrics() = default;

Counter Metrics::counter(std::string_view name, const Labels& labels) {
    const auto& info = info_of(name, MetricKind::counter, labels);
    const std::lock_guard lock(members_->mutex);
    auto& count = members_->counters[info.name][to_map(labels)];
    if (!count) {
        count = std::make_unique<Members::Count>();
    }
    Counter handle;
    handle.count_ = &count->value;
    return handle;
}

Gauge Metrics::gauge(std::string_view name, const Labels& labels) {
    const auto& info = info_of(name, MetricKind::gauge, labels);
    auto& family = prometheus::BuildGauge()
                       .Name(std::string(info.name))
                       .Help(std::string(info.help))
                       .Register(members_->registry);
    Gauge handle;
    handle.gauge_ = &family.Add(to_map(labels));
    return handle;
}

Histogram Metrics::histogram(
    std::string_view name, const std::vector<double>& bounds, const Labels& labels) {
    const auto& info = info_of(name, MetricKind::histogram, labels);
    auto& family = prometheus::BuildHistogram()
                       .Name(std::string(info.name))
                       .Help(std::string(info.help))
                       .Register(members_->registry);
    Histogram handle;
    handle.histogram_ = &family.Add(to_map(labels), bounds);
    return handle;
}

std::string Metrics::text() const {
    auto families = members_->collect();
    // Sorted, so that two readings can be compared by eye.
    std::sort(families.begin(), families.end(), [](const auto& a, const auto& b) {
        return a.name < b.name;
    });
    for (auto& family : families) {
        std::sort(family.metric.begin(), family.metric.end(), [](const auto& a, const auto& b) {
            return std::lexicographical_compare(
                a.label.begin(),
                a.label.end(),
                b.label.begin(),
                b.label.end(),
                [](const auto& one, const auto& other) {
                    return std::tie(one.name, one.value) < std::tie(other.name, other.value);
                });
        });
    }
    return prometheus::TextSerializer().prometheus::Serializer::Serialize(families);
}

}  // namespace mailflow
