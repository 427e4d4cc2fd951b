#include "server/daemon/lane_thread.hpp"

#include "server/daemon/heaps.hpp"

#include <exception>
#include <pthread.h>

namespace mailflow {

LaneThread::LaneThread(const Clock& clock, Log log, unsigned number, const std::string& name)
    : lane_(Lane::Parts{context_, clock, random_, log, number}) {
    std::promise<void> claimed;
    thread_ = std::thread([this, &claimed] {
        claim_heap();
        claimed.set_value();
        go_.get_future().wait();
        run();
    });
    ::pthread_setname_np(thread_.native_handle(), name.c_str());
    claimed.get_future().wait();
}

LaneThread::~LaneThread() {
    join();
}

void LaneThread::start() {
    is_started_ = true;
    go_.set_value();
}

void LaneThread::stop_and_join(std::chrono::milliseconds limit) {
    if (!is_started_ || !thread_.joinable()) {
        return;
    }
    lane_.post([this] { lane_.stop(); });
    work_.reset();
    if (finished_.get_future().wait_for(limit) == std::future_status::timeout) {
        lane_.post([this] {
            lane_.log().error(
                "tasks did not end",
                {{"lane", lane_.number()}, {"tasks", lane_.tasks().live_names()}});
            context_.stop();
        });
    }
    join();
}

void LaneThread::join() {
    if (thread_.joinable()) {
        work_.reset();
        if (!is_started_) {
            start();
        }
        thread_.join();
    }
}

void LaneThread::run() {
    // Nothing should escape from a handler; if something does, the lane goes on without it.
    for (;;) {
        try {
            context_.run();
            finished_.set_value();
            return;
        } catch (const std::exception& error) {
            lane_.log().error(
                "a handler threw", {{"lane", lane_.number()}, {"reason", error.what()}});
        }
    }
}

}  // namespace mailflow
