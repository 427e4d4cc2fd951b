#include "transport/base/one_shot.hpp"
#include "transport/base/spawn.hpp"
#include "transport/base/task_runner.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace mailflow {

namespace {

class ErrorSink final : public LogSink {
  public:
    [[nodiscard]] bool on(LogLevel /*level*/) const noexcept override { return true; }

    void write(
        LogLevel level,
        std::string_view /*event*/,
        std::initializer_list<LogField> fields) noexcept override {
        if (level == LogLevel::error) {
            for (const auto& field : fields) {
                words += std::string(field.key) + '=' + field.text + ' ';
            }
        }
    }

    std::string words;
};

Task<void> wait_for(OneShot<int>* answer, int* got) {
    *got = co_await answer->wait();
}

Task<void> throw_now() {
    throw std::runtime_error("a broken invariant");
    co_return;
}

struct Where {
    std::thread::id job;
    std::thread::id before;
    std::thread::id after;
    int value = 0;
};

Task<void> ask(TaskRunner* runner, Where* where) {
    where->before = std::this_thread::get_id();
    const auto job = [where] {
        where->job = std::this_thread::get_id();
        return 42;
    };
    where->value = co_await offload(*runner, job);
    where->after = std::this_thread::get_id();
}

Task<void> add_numbers(TaskRunner* runner, int rounds, std::int64_t* sum) {
    for (int i = 0; i < rounds; ++i) {
        const auto job = [i] {
            return i;
        };
        const auto value = co_await offload(*runner, job);
        *sum += value;
    }
}

Task<void> ask_for_pointer(TaskRunner* runner, std::unique_ptr<int>* got) {
    const auto job = [] {
        return std::make_unique<int>(7);
    };
    *got = co_await offload(*runner, job);
}

}  // namespace

TEST_CASE("A waiter resumes from the lane's loop, not inside complete()", "[base][task]") {
    asio::io_context context(1);
    TaskScope scope(context.get_executor(), Log());
    OneShot<int> answer;
    int got = 0;
    scope.spawn("waiter", wait_for(&answer, &got));
    context.poll();

    answer.complete(7);
    const int inside = got;
    context.restart();
    context.poll();

    CHECK(inside == 0);
    CHECK(got == 7);
    CHECK(scope.live() == 0);
}

TEST_CASE("An answer that came first is taken at once", "[base][task]") {
    asio::io_context context(1);
    TaskScope scope(context.get_executor(), Log());
    OneShot<int> answer;
    int got = 0;
    answer.complete(7);

    scope.spawn("waiter", wait_for(&answer, &got));
    context.run();

    CHECK(answer.is_complete());
    CHECK(got == 7);
}

TEST_CASE("A task that throws is named, counted and does not end the loop", "[base][task]") {
    ErrorSink sink;
    asio::io_context context(1);
    TaskScope scope(context.get_executor(), Log(sink));
    OneShot<int> answer;
    int got = 0;
    answer.complete(1);

    scope.spawn("thrower", throw_now());
    scope.spawn("waiter", wait_for(&answer, &got));
    const auto live = scope.live();
    context.run();

    CHECK(live == 2);
    CHECK(scope.live() == 0);
    CHECK(scope.failed() == 1);
    CHECK(got == 1);
    CHECK(sink.words == "task=thrower reason=a broken invariant ");
}

TEST_CASE(
    "Offloaded work runs on the runner's thread, the caller resumes at home", "[base][task]") {
    asio::io_context context(1);
    TaskScope scope(context.get_executor(), Log());
    ThreadRunner runner("test-runner");
    Where where;

    scope.spawn("asker", ask(&runner, &where));
    context.run();

    CHECK(where.value == 42);
    CHECK(where.job != where.before);
    CHECK(where.after == where.before);
    CHECK(scope.failed() == 0);
}

TEST_CASE("Folded onto the lane, offloaded work runs on its thread", "[base][task]") {
    asio::io_context context(1);
    TaskScope scope(context.get_executor(), Log());
    FoldedRunner runner(context);
    Where where;

    scope.spawn("asker", ask(&runner, &where));
    context.run();

    CHECK(where.value == 42);
    CHECK(where.job == where.before);
}

TEST_CASE("Many tasks offload to one runner and each gets its own answers", "[base][task]") {
    constexpr int kTasks = 20;
    constexpr int kRounds = 200;
    asio::io_context context(1);
    TaskScope scope(context.get_executor(), Log());
    ThreadRunner runner("test-runner");
    std::int64_t sum = 0;

    for (int i = 0; i < kTasks; ++i) {
        scope.spawn("adder", add_numbers(&runner, kRounds, &sum));
    }
    context.run();

    CHECK(sum == std::int64_t{kTasks} * kRounds * (kRounds - 1) / 2);
}

TEST_CASE("An offloaded value may be one that only moves", "[base][task]") {
    asio::io_context context(1);
    TaskScope scope(context.get_executor(), Log());
    ThreadRunner runner("test-runner");
    std::unique_ptr<int> got;

    scope.spawn("asker", ask_for_pointer(&runner, &got));
    context.run();

    REQUIRE(got);
    CHECK(*got == 7);
}

TEST_CASE("A runner does its jobs in order and finishes them before it goes", "[base][task]") {
    std::vector<int> done;
    {
        ThreadRunner runner("test-runner");
        for (int i = 0; i < 100; ++i) {
            runner.post([&done, i] { done.push_back(i); });
        }
    }

    REQUIRE(done.size() == 100);
    CHECK(std::is_sorted(done.begin(), done.end()));
}

}  // namespace mailflow
