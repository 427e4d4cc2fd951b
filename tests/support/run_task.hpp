// Running a coroutine from a test: `run_task` drives an io_context until the task is done and
// rethrows what escapes; `TestLane` is a lane under virtual time, whose `run` jumps to the next
// deadline when nothing is ready.
#pragma once

#include "tests/support/manual_clock.hpp"
#include "tests/support/seeded_random.hpp"
#include "transport/net/lane.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace mailflow {

namespace detail {

template <class T>
struct TaskResult {
    std::optional<T> value;
    std::exception_ptr error;
    bool done = false;
};

template <>
struct TaskResult<void> {
    std::exception_ptr error;
    bool done = false;
};

template <class T>
Task<void> keep_result(Task<T> task, TaskResult<T>* into) {
    if constexpr (std::is_void_v<T>) {
        co_await std::move(task);
    } else {
        auto value = co_await std::move(task);
        into->value.emplace(std::move(value));
    }
}

template <class T>
void start_task(asio::io_context& context, Task<T> task, TaskResult<T>& result) {
    asio::co_spawn(
        context, keep_result(std::move(task), &result), [&result](std::exception_ptr error) {
            result.error = std::move(error);
            result.done = true;
        });
    if (context.stopped()) {
        context.restart();
    }
}

template <class T>
T take_result(TaskResult<T>& result) {
    if (result.error) {
        std::rethrow_exception(result.error);
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result.value);
    }
}

}  // namespace detail

// In real time: waits for sockets and timers. Throws when the task waits for something that can
// never come.
template <class T>
T run_task(asio::io_context& context, Task<T> task) {
    detail::TaskResult<T> result;
    detail::start_task(context, std::move(task), result);
    while (!result.done) {
        if (context.run_one() == 0) {
            throw std::logic_error("the task waits for something that never comes");
        }
    }
    return detail::take_result(result);
}

// A context, a clock and a lane, folded onto the test's thread. Virtual time.
class TestLane {
  public:
    explicit TestLane(Log log = Log(), std::uint64_t seed = 1)
        : random(seed)
        , lane({context, clock, random, log, 0, false}) {}

    // Runs what is ready, at the present time.
    void poll() {
        context.restart();
        while (context.poll() > 0) {
        }
    }

    // Moves time on, expiring in order what is due on the way.
    void advance(Duration by) {
        const auto until = clock.monotonic() + by;
        for (;;) {
            poll();
            const auto next = lane.next_deadline();
            if (!next || *next > until) {
                break;
            }
            clock.advance_to(*next);
            lane.run_timers(clock.monotonic());
        }
        clock.advance_to(until);
        poll();
    }

    // Time jumps to the next deadline whenever nothing is ready. Throws when there is none.
    template <class T>
    T run(Task<T> task) {
        detail::TaskResult<T> result;
        detail::start_task(context, std::move(task), result);
        for (;;) {
            poll();
            if (result.done) {
                return detail::take_result(result);
            }
            const auto next = lane.next_deadline();
            if (!next) {
                throw std::logic_error("the task waits for something that never comes");
            }
            clock.advance_to(*next);
            lane.run_timers(clock.monotonic());
        }
    }

    asio::io_context context;
    ManualClock clock;
    SeededRandom random;
    Lane lane;
};

}  // namespace mailflow
