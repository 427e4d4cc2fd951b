// A DeliveryAgent that keeps what it was given and answers from a script: the double for everything
// that orders deliveries. Attempts can be held to look at what happens meanwhile. One lane.
#pragma once

#include "transport/base/one_shot.hpp"
#include "transport/deliver/delivery_agent.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// Reports that say the same of every recipient of the job.
[[nodiscard]] DeliveryReport report_delivered(const DeliveryJob& job);
[[nodiscard]] DeliveryReport report_deferred(const DeliveryJob& job, std::string_view words);
[[nodiscard]] DeliveryReport report_failed(const DeliveryJob& job, std::string_view words);
[[nodiscard]] DeliveryReport report_hop_failure(std::string_view words);

class RecordingAgent final : public DeliveryAgent {
  public:
    using Script = std::function<DeliveryReport(const DeliveryJob&)>;

    // Delivers everything until told otherwise.
    void answer_with(Script script) { script_ = std::move(script); }

    Task<DeliveryReport> deliver(DeliveryJob job) override;

    void close_idle() noexcept override {}

    // While held, attempts wait; releasing lets all through, or the one that has waited longest.
    void hold(bool held);
    void release_one();

    [[nodiscard]] const std::vector<DeliveryJob>& jobs() const noexcept { return jobs_; }

    // How often recipient `number` of the message was handed over.
    [[nodiscard]] std::size_t attempts(QueueId id, std::uint32_t number = 0) const;

    [[nodiscard]] std::size_t running() const noexcept { return running_; }

    [[nodiscard]] std::size_t most_running() const noexcept { return most_running_; }

    void forget() noexcept { jobs_.clear(); }

  private:
    Script script_ = report_delivered;
    std::vector<DeliveryJob> jobs_;
    std::deque<OneShot<bool>*> waiting_;
    bool held_ = false;
    std::size_t running_ = 0;
    std::size_t most_running_ = 0;
};

}  // namespace mailflow
