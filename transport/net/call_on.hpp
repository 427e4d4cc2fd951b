// Running a task on another lane and coming back: the one way in which a coroutine crosses lanes.
// The caller stays suspended on its own lane meanwhile and resumes there, so `make_task` may refer
// to the caller's frame; what it reads there it reads from the other lane's thread.
#pragma once

#include "transport/base/one_shot.hpp"
#include "transport/net/lane.hpp"

#include <exception>
#include <optional>
#include <utility>

namespace mailflow {

namespace detail {

template <class T>
struct CallOutcome {
    std::optional<T> value;
    std::exception_ptr error;
};

template <class T, class F>
Task<void> answer_call(Lane* home, OneShot<CallOutcome<T>>* done, F* make_task) {
    auto outcome = std::make_unique<CallOutcome<T>>();
    try {
        auto task = (*make_task)();
        auto value = co_await std::move(task);
        outcome->value.emplace(std::move(value));
    } catch (...) {
        outcome->error = std::current_exception();
    }
    home->post([done, outcome = std::move(outcome)] { done->complete(std::move(*outcome)); });
}

}  // namespace detail

// `make_task()` is called on `other` and returns a Task<T>, T not void; it is no coroutine itself.
// An exception of the task is rethrown here. The other lane must run until the answer is posted.
template <class F>
auto call_on(Lane& home, Lane& other, F make_task) -> decltype(make_task()) {
    using T = typename decltype(make_task())::value_type;
    if (&home == &other) {
        auto task = make_task();
        auto value = co_await std::move(task);
        co_return value;
    }

    OneShot<detail::CallOutcome<T>> done;
    auto* const to = &other;
    auto* const from = &home;
    auto* const waiting = &done;
    auto* const make = &make_task;
    other.post([to, from, waiting, make] {
        to->spawn("call from another lane", detail::answer_call<T>(from, waiting, make));
    });
    auto outcome = co_await done.wait();
    if (outcome.error) {
        std::rethrow_exception(outcome.error);
    }
    co_return std::move(*outcome.value);
}

}  // namespace mailflow
