// Several worker threads behind one TaskRunner: jobs go to them in turn, so jobs of one pool run
// side by side. For work whose steps await each other (file syncs, Maildir writes).
#pragma once

#include "transport/base/task_runner.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace mailflow {

class WorkerPool final : public TaskRunner {
  public:
    // `count` > 0.
    explicit WorkerPool(unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            threads_.push_back(std::make_unique<ThreadRunner>("worker-" + std::to_string(i)));
        }
    }

    void post(UniqueFunction job) override {
        threads_[next_++ % threads_.size()]->post(std::move(job));
    }

  private:
    std::vector<std::unique_ptr<ThreadRunner>> threads_;
    std::atomic<std::size_t> next_ = 0;
};

}  // namespace mailflow
