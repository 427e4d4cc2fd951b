// A value that arrives once and a coroutine that waits for it: the one way in which a call-back,
// another thread's answer or a timer wakes a Task. Lives in the waiting coroutine's frame. Both
// ends on one lane; an answer made elsewhere is posted to the lane first. It must complete before
// its lane goes: a waiter that never resumes is leaked.
#pragma once

#include "transport/base/task.hpp"
#include "transport/base/unique_function.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>

#include <optional>
#include <utility>

namespace mailflow {

template <class T>
class OneShot {
  public:
    OneShot() = default;
    OneShot(const OneShot&) = delete;
    OneShot& operator=(const OneShot&) = delete;

    // The value is stored, the waiter (if any) resumes from the lane's loop, never inside this
    // call.
    void complete(T value) {
        value_.emplace(std::move(value));
        if (resume_) {
            resume_();
        }
    }

    [[nodiscard]] bool is_complete() const noexcept { return value_.has_value(); }

    // At most one waiter, at most once.
    Task<T> wait() {
        if (!value_) {
            auto operation = asio::async_initiate<const decltype(use_result)&, void()>(
                Initiate{this}, use_result);
            co_await std::move(operation);
        }
        co_return std::move(*value_);
    }

  private:
    struct Initiate {
        OneShot* self;

        template <class Handler>
        void operator()(Handler&& handler) const {
            self->resume_ = UniqueFunction([handler = std::forward<Handler>(handler)]() mutable {
                const auto executor = asio::get_associated_executor(handler);
                asio::post(executor, std::move(handler));
            });
        }
    };

    std::optional<T> value_;
    UniqueFunction resume_;
};

}  // namespace mailflow
