// A TaskRunner whose jobs wait until the test runs them. One thread.
#pragma once

#include "transport/base/task_runner.hpp"

#include <cstddef>
#include <deque>
#include <utility>

namespace mailflow {

class HeldRunner final : public TaskRunner {
  public:
    void post(UniqueFunction job) override { jobs_.push_back(std::move(job)); }

    // Runs what is there and what that posts; the number of jobs.
    std::size_t run() {
        std::size_t count = 0;
        for (; !jobs_.empty(); ++count) {
            auto job = std::move(jobs_.front());
            jobs_.pop_front();
            job();
        }
        return count;
    }

    [[nodiscard]] std::size_t waiting() const noexcept { return jobs_.size(); }

  private:
    std::deque<UniqueFunction> jobs_;
};

}  // namespace mailflow
