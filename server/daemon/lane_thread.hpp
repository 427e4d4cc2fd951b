// A lane with its io_context, its randomness and its thread. Built and joined by the daemon on the
// main thread.
#pragma once

#include "transport/base/random.hpp"
#include "transport/net/lane.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <chrono>
#include <future>
#include <string>
#include <thread>

namespace mailflow {

class LaneThread {
  public:
    // The thread takes a heap of its own (heaps.hpp) and waits for start(), so that what belongs
    // to the lane can be built on the main thread.
    // `name`: at most 15 characters, shown by ps and top.
    LaneThread(const Clock& clock, Log log, unsigned number, const std::string& name);
    ~LaneThread();
    LaneThread(const LaneThread&) = delete;
    LaneThread& operator=(const LaneThread&) = delete;

    void start();
    // Wakes every sleeper, lets the loop run dry and joins. Tasks that have not ended within
    // `limit` are named in the log and left where they are.
    void stop_and_join(std::chrono::milliseconds limit);

    [[nodiscard]] Lane& lane() noexcept { return lane_; }

  private:
    void run();
    void join();

    SystemRandom random_;
    asio::io_context context_{1};
    asio::executor_work_guard<Executor> work_{context_.get_executor()};
    Lane lane_;
    std::thread thread_;
    std::promise<void> finished_;
    std::promise<void> go_;
    bool is_started_ = false;  // main thread
};

}  // namespace mailflow
