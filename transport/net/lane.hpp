// One thread's worth of the flow: an io_context (given, run by someone else), its tasks, deadlines,
// timers and scratch memory. Sessions, deliveries and sockets belong to one lane for life.
// Everything here is called on the lane, except `post`.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/one_shot.hpp"
#include "transport/base/random.hpp"
#include "transport/base/spawn.hpp"
#include "transport/base/unique_function.hpp"
#include "transport/net/deadline_wheel.hpp"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace mailflow {

class Lane {
  public:
    struct Parts {
        asio::io_context& context;
        const Clock& clock;
        Random& random;
        Log log;
        unsigned number = 0;
        // False: no Asio timer is armed; the owner calls `run_timers` (simulation, tests with a
        // manual clock).
        bool arm_timers = true;
    };

    explicit Lane(Parts parts);
    ~Lane();
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    [[nodiscard]] asio::io_context& context() noexcept { return parts_.context; }

    [[nodiscard]] Executor executor() noexcept { return parts_.context.get_executor(); }

    [[nodiscard]] const Clock& clock() const noexcept { return parts_.clock; }

    [[nodiscard]] Random& random() noexcept { return parts_.random; }

    [[nodiscard]] const Log& log() const noexcept { return parts_.log; }

    [[nodiscard]] unsigned number() const noexcept { return parts_.number; }

    [[nodiscard]] DeadlineWheel& wheel() noexcept { return wheel_; }

    [[nodiscard]] TaskScope& tasks() noexcept { return tasks_; }

    // From any thread.
    void post(UniqueFunction job);

    void spawn(std::string_view name, Task<void> task) { tasks_.spawn(name, std::move(task)); }

    // Precise to the millisecond. Ends early with Error::cancelled when the lane stops.
    Task<ErrorCode> sleep_until(MonotonicTime when);

    // Memory every connection of this lane reads into; contents hold until the next co_await.
    [[nodiscard]] std::span<char> scratch() noexcept { return scratch_; }

    // Wakes every sleeper and expires every deadline; later sleeps return and later deadlines
    // expire at once. Nothing on the lane waits for a clock or a peer any more. Deadlines expire no
    // more: connections are closed before.
    void stop();

    [[nodiscard]] bool is_stopping() const noexcept { return stopping_; }

    // The earliest sleeper or deadline; none when there is nothing to wait for.
    [[nodiscard]] std::optional<MonotonicTime> next_deadline() const noexcept;
    // Wakes sleepers and expires deadlines due by `now`.
    void run_timers(MonotonicTime now);

  private:
    struct Timer;
    void arm();

    Parts parts_;
    TaskScope tasks_;
    DeadlineWheel wheel_;
    std::multimap<MonotonicTime, OneShot<ErrorCode>*> sleepers_;
    std::vector<char> scratch_;
    std::shared_ptr<Timer> timer_;  // shared with its pending wait, which may outlive the lane
    bool stopping_ = false;
};

}  // namespace mailflow
