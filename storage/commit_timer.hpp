// Delays for code that lives on a TaskRunner: sleeps on a lane, so that a simulation's virtual time
// drives it, then posts the job to the runner. Owned by the store's commit writer. `after` is
// called on the runner, the rest on the lane.
#pragma once

#include "transport/base/task_runner.hpp"
#include "transport/net/lane.hpp"

#include <cstddef>

namespace mailflow {

class CommitTimer {
  public:
    // Both outlive this.
    CommitTimer(Lane& lane, TaskRunner& runner) noexcept
        : lane_(lane)
        , runner_(runner) {}

    CommitTimer(const CommitTimer&) = delete;
    CommitTimer& operator=(const CommitTimer&) = delete;

    // The job runs on the runner, also when the lane stops before its time.
    void after(Duration delay, UniqueFunction job);

    // Returns when no job is outstanding; `after` is not called any more.
    Task<> drain();

  private:
    Task<> run(MonotonicTime when, UniqueFunction job);

    Lane& lane_;
    TaskRunner& runner_;
    std::size_t live_ = 0;
    OneShot<bool>* drained_ = nullptr;
};

}  // namespace mailflow
