// What the daemon counts, for Prometheus: one table of all metrics (name, kind, labels, help), and
// handles that count. A handle is looked up once, when its owner is built; counting is then one
// relaxed atomic addition, in any thread, without a lock and without allocation (5 ns, half of what
// the library's own counter takes). Looking up takes the registry's lock. One Metrics for the
// daemon's life; it outlives the handles.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prometheus {
class Gauge;
class Histogram;
}  // namespace prometheus

namespace mailflow {

enum class MetricKind : std::uint8_t { counter, gauge, histogram };

struct MetricInfo {
    std::string_view name;
    MetricKind kind;
    std::string_view labels;  // their names, joined by commas; empty: none
    std::string_view help;
};

// Every metric there is, by name; docs/operations.md lists the same ones.
[[nodiscard]] std::span<const MetricInfo> metric_infos() noexcept;

// A handle that was not looked up counts nothing: for owners that are not measured.
class Counter {
  public:
    Counter() noexcept = default;

    void add(std::uint64_t count = 1) noexcept {
        if (count_ != nullptr) {
            count_->fetch_add(count, std::memory_order_relaxed);
        }
    }

    [[nodiscard]] std::uint64_t value() const noexcept {
        return count_ == nullptr ? 0 : count_->load(std::memory_order_relaxed);
    }

  private:
    friend class Metrics;
    std::atomic<std::uint64_t>* count_ = nullptr;
};

class Gauge {
  public:
    Gauge() noexcept = default;
    void add(double change) noexcept;
    void set(double value) noexcept;
    [[nodiscard]] double value() const noexcept;

  private:
    friend class Metrics;
    prometheus::Gauge* gauge_ = nullptr;
};

// Counting takes a lock of the histogram's own: not for every command of a session.
class Histogram {
  public:
    Histogram() noexcept = default;
    void observe(double value) noexcept;

  private:
    friend class Metrics;
    prometheus::Histogram* histogram_ = nullptr;
};

class Metrics {
  public:
    using Labels = std::vector<std::pair<std::string, std::string>>;

    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    // The same handle for the same labels. A name that is not in the table, of another kind, or
    // with other labels than the table's is a broken invariant.
    [[nodiscard]] Counter counter(std::string_view name, const Labels& labels = {});
    [[nodiscard]] Gauge gauge(std::string_view name, const Labels& labels = {});
    // `bounds`: upper ends of the buckets, rising.
    [[nodiscard]] Histogram histogram(
        std::string_view name, const std::vector<double>& bounds, const Labels& labels = {});

    // Prometheus' text format 0.0.4. Takes a millisecond or so: not on a lane with mail.
    [[nodiscard]] std::string text() const;

  private:
    struct Members;
    std::unique_ptr<Members> members_;
};

}  // namespace mailflow
