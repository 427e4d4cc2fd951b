#include "tests/support/memory_log.hpp"
#include "tests/support/run_task.hpp"
#include "transport/base/error.hpp"
#include "transport/net/call_on.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <catch2/catch.hpp>

#include <stdexcept>
#include <thread>
#include <vector>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

Task<void> note_after(Lane& lane, Duration delay, std::vector<int>* into, int number) {
    const auto error = co_await lane.sleep_until(lane.clock().monotonic() + delay);
    into->push_back(error == Error::cancelled ? -number : number);
}

Task<ErrorCode> sleep_for(Lane& lane, Duration delay) {
    const auto error = co_await lane.sleep_until(lane.clock().monotonic() + delay);
    co_return error;
}

Task<void> fail() {
    throw std::runtime_error("planted");
    co_return;
}

}  // namespace

TEST_CASE("sleepers wake in order of their time, to the millisecond", "[net][lane]") {
    TestLane test;
    std::vector<int> order;
    test.lane.spawn("c", note_after(test.lane, 30ms, &order, 3));
    test.lane.spawn("a", note_after(test.lane, 10ms, &order, 1));
    test.lane.spawn("b", note_after(test.lane, 20ms, &order, 2));

    test.advance(19ms);
    CHECK(order == std::vector<int>{1});
    test.advance(1ms);
    CHECK(order == std::vector<int>{1, 2});
    test.advance(1h);

    CHECK(order == std::vector<int>{1, 2, 3});
    CHECK(test.lane.tasks().live() == 0);
    CHECK_FALSE(test.lane.next_deadline().has_value());
}

TEST_CASE("a stopping lane wakes its sleepers and lets no one sleep", "[net][lane]") {
    TestLane test;
    std::vector<int> order;
    test.lane.spawn("a", note_after(test.lane, 1h, &order, 1));
    test.poll();

    test.lane.stop();
    test.poll();
    const auto later = test.run(sleep_for(test.lane, 1h));

    CHECK(order == std::vector<int>{-1});
    CHECK(later == Error::cancelled);
}

TEST_CASE("a lane arms a real timer for its sleepers", "[net][lane]") {
    asio::io_context context;
    const SystemClock clock;
    SeededRandom random;
    Lane lane({context, clock, random, Log(), 0, true});
    const auto start = clock.monotonic();

    const auto error = run_task(context, sleep_for(lane, 5ms));

    CHECK_FALSE(error);
    CHECK(clock.monotonic() >= start + 5ms);
}

TEST_CASE("what escapes from a spawned task is logged and counted", "[net][lane]") {
    MemoryLog log;
    TestLane test{Log(log)};

    test.lane.spawn("planted task", fail());
    test.poll();

    CHECK(test.lane.tasks().failed() == 1);
    CHECK(log.count("task=planted task") == 1);
    CHECK(log.count("planted") == 1);
}

// ---- call_on

namespace {

// A lane with a thread of its own.
class ThreadLane {
  public:
    explicit ThreadLane(unsigned number)
        : context_(1)
        , work_(asio::make_work_guard(context_))
        , lane({context_, clock_, random_, Log(), number, true})
        , thread_([this] { context_.run(); }) {}

    ~ThreadLane() {
        work_.reset();
        context_.stop();
        thread_.join();
    }

    ThreadLane(const ThreadLane&) = delete;
    ThreadLane& operator=(const ThreadLane&) = delete;

  private:
    asio::io_context context_;
    SystemClock clock_;
    SeededRandom random_;
    asio::executor_work_guard<Executor> work_;

  public:
    Lane lane;

  private:
    std::thread thread_;
};

Task<int> add(int* counter, int by) {
    *counter += by;
    co_return *counter;
}

Task<int> throw_number(int number) {
    throw std::out_of_range(std::to_string(number));
    co_return number;
}

// `counter` belongs to the other lane.
Task<std::pair<int, bool>> call_often(Lane& home, Lane& other, int* counter, int times) {
    const auto here = std::this_thread::get_id();
    bool stayed = true;
    int last = 0;
    for (int i = 0; i < times; ++i) {
        const auto make = [counter] {
            return add(counter, 1);
        };
        last = co_await call_on(home, other, make);
        stayed = stayed && std::this_thread::get_id() == here;
    }
    co_return std::pair(last, stayed);
}

Task<int> call_thrower(Lane& home, Lane& other) {
    const auto make = [] {
        return throw_number(7);
    };
    const auto number = co_await call_on(home, other, make);
    co_return number;
}

}  // namespace

TEST_CASE("call_on runs on the other lane and comes back, 100,000 times", "[net][lane][call_on]") {
    asio::io_context context(1);
    const SystemClock clock;
    SeededRandom random;
    Lane home({context, clock, random, Log(), 0, true});
    ThreadLane other(1);
    int counter = 0;
    auto work = asio::make_work_guard(context);

    const auto [last, stayed] = run_task(context, call_often(home, other.lane, &counter, 100'000));

    CHECK(last == 100'000);
    CHECK(stayed);
}

TEST_CASE("call_on to the lane one is on awaits the task", "[net][lane][call_on]") {
    TestLane test;
    int counter = 0;

    const auto [last, stayed] = test.run(call_often(test.lane, test.lane, &counter, 10));

    CHECK(last == 10);
    CHECK(stayed);
}

TEST_CASE("an exception on the other lane comes back to the caller", "[net][lane][call_on]") {
    asio::io_context context(1);
    const SystemClock clock;
    SeededRandom random;
    Lane home({context, clock, random, Log(), 0, true});
    ThreadLane other(1);
    auto work = asio::make_work_guard(context);

    CHECK_THROWS_AS(run_task(context, call_thrower(home, other.lane)), std::out_of_range);
}
