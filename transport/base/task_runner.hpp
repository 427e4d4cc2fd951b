// Where blocking work runs: a thread of its own, or, in a simulation and in tests, the very
// io_context of the lanes. Jobs of one runner run one after the other, in order of `post`.
#pragma once

#include "transport/base/one_shot.hpp"
#include "transport/base/unique_function.hpp"

#include <memory>
#include <string_view>

namespace mailflow {

class TaskRunner {
  public:
    virtual ~TaskRunner() = default;
    // From any thread. Never runs the job inside the call.
    virtual void post(UniqueFunction job) = 0;
};

// One thread that runs jobs in order; the destructor runs what is left and joins.
class ThreadRunner final : public TaskRunner {
  public:
    // `name`: at most 15 characters, shown by ps and top.
    explicit ThreadRunner(std::string_view name);
    ~ThreadRunner() override;
    ThreadRunner(const ThreadRunner&) = delete;
    ThreadRunner& operator=(const ThreadRunner&) = delete;
    void post(UniqueFunction job) override;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// Posts to an io_context: everything on one thread.
class FoldedRunner final : public TaskRunner {
  public:
    explicit FoldedRunner(asio::io_context& context) noexcept
        : context_(context) {}

    void post(UniqueFunction job) override;

  private:
    asio::io_context& context_;
};

// Runs `function` (which returns a non-void value) on the runner; the caller resumes on its own
// lane. Everything `function` uses must outlive it or be owned by it: the caller's frame does.
template <class F>
auto offload(TaskRunner& runner, F function) -> Task<decltype(function())> {
    using Value = decltype(function());
    const auto home = co_await asio::this_coro::executor;
    OneShot<Value> done;
    runner.post([&function, &done, home] {
        auto value = std::make_unique<Value>(function());
        asio::post(home, [&done, value = std::move(value)]() mutable {
            done.complete(std::move(*value));
        });
    });
    auto value = co_await done.wait();
    co_return value;
}

}  // namespace mailflow
