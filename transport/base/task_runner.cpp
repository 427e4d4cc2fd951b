#include "transport/base/task_runner.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <pthread.h>
#include <string>
#include <thread>

namespace mailflow {

struct ThreadRunner::State {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<UniqueFunction> jobs;
    bool stopping = false;
    std::thread thread;

    void run() {
        std::unique_lock lock(mutex);
        for (;;) {
            wake.wait(lock, [this] { return stopping || !jobs.empty(); });
            if (jobs.empty()) {
                return;
            }
            auto job = std::move(jobs.front());
            jobs.pop_front();
            lock.unlock();
            job();
            job = UniqueFunction();
            lock.lock();
        }
    }
};

ThreadRunner::ThreadRunner(std::string_view name)
    : state_(std::make_unique<State>()) {
    state_->thread = std::thread([state = state_.get()] { state->run(); });
    ::pthread_setname_np(state_->thread.native_handle(), std::string(name).c_str());
}

ThreadRunner::~ThreadRunner() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopping = true;
    }
    state_->wake.notify_one();
    state_->thread.join();
}

void ThreadRunner::post(UniqueFunction job) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->jobs.push_back(std::move(job));
    }
    state_->wake.notify_one();
}

void FoldedRunner::post(UniqueFunction job) {
    asio::post(context_, [job = std::move(job)]() mutable { job(); });
}

}  // namespace mailflow
