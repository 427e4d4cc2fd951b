// The whole flow on real threads: two lanes, console, writer, keeper, reader, workers, over real
// sockets and files, with a DNS that a test writes. What tests of tests/flow run against.
#pragma once

#include "server/daemon/lane_thread.hpp"
#include "server/daemon/mail_flow.hpp"
#include "server/daemon/worker_pool.hpp"
#include "storage/posix_files.hpp"
#include "tests/support/fake_resolver.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace mailflow {

constexpr auto kPatience = std::chrono::seconds(30);

class RunningFlow {
  public:
    explicit RunningFlow(const std::string& folder) {
        MailFlowSettings settings;
        settings.state_dir = folder;
        settings.key_file = folder + "/secret.key";
        settings.node.fqdn = "mail.contoso.com";
        settings.first.domain = "contoso.com";
        settings.first.smtp = {*Endpoint::parse("127.0.0.1:0")};
        settings.allow_destinations = {*IpRange::parse("127.0.0.0/8")};
        const auto resolver_for = [](Lane&) -> Result<MailFlowWorld::LaneResolver> {
            auto resolver = std::make_unique<FakeResolver>();
            resolver->add_mx("fabrikam.com", 10, "mx.fabrikam.com");
            resolver->add_address("mx.fabrikam.com", "127.0.0.1");
            resolver->add_mx("litware.com", 10, "mx.litware.com");
            resolver->add_address("mx.litware.com", "127.0.0.1");
            return MailFlowWorld::LaneResolver{std::move(resolver), [] {
                                               }};
        };
        auto opened = MailFlow::open(
            settings,
            {clock_,
             network_,
             files_,
             "",
             {&first_.lane(), &second_.lane()},
             console_.lane(),
             writer_,
             keeper_,
             reader_,
             workers_,
             resolver_for,
             Log()},
            [](const std::string&) {});
        REQUIRE(opened.has_value());
        flow_ = std::move(*opened);
        first_.start();
        second_.start();
        console_.start();
        const auto problems = on_console([this] { return flow_->start(); });
        REQUIRE(problems.has_value());
        REQUIRE(problems->empty());
    }

    ~RunningFlow() {
        on_console([this] { return stop(); });
        for (auto* thread : {&console_, &first_, &second_}) {
            thread->stop_and_join(kPatience);
        }
        flow_.reset();
    }

    // Runs a coroutine on the console lane and waits for what it returns.
    template <class F>
    auto on_console(F make_task) -> typename decltype(make_task())::value_type {
        using T = typename decltype(make_task())::value_type;
        std::promise<T> answer;
        auto result = answer.get_future();
        auto& lane = console_.lane();
        lane.post([&lane, &answer, &make_task] {
            lane.spawn("test", answer_with<T>(&answer, make_task()));
        });
        return result.get();
    }

    void change(const std::string& type, const std::string& name, boost::json::object fields) {
        ChangeRequest request{type, name, std::move(fields), {"test", "test"}, false};
        const auto outcome =
            on_console([this, &request] { return flow_->organization().create(request); });
        REQUIRE(outcome.ok());
    }

    void set(const std::string& type, boost::json::object fields) {
        ChangeRequest request{type, {}, std::move(fields), {"test", "test"}, false};
        const auto outcome =
            on_console([this, &request] { return flow_->organization().set(request); });
        REQUIRE(outcome.ok());
    }

    std::uint16_t port(const std::string& connector) {
        const auto listeners = on_queue_lane([this] { return flow_->listeners(); });
        for (const auto& listener : listeners) {
            if (listener.is_open() && listener.connectors.front() == connector) {
                return listener.local.port;
            }
        }
        return 0;
    }

    QueueStatistics statistics() {
        return on_queue_lane([this] { return flow_->queue_statistics(); });
    }

  private:
    template <class T>
    static Task<void> answer_with(std::promise<T>* answer, Task<T> task) {
        auto value = co_await std::move(task);
        answer->set_value(std::move(value));
    }

    template <class F>
    auto on_queue_lane(F function) -> decltype(function()) {
        std::promise<decltype(function())> answer;
        auto result = answer.get_future();
        first_.lane().post([&answer, &function] { answer.set_value(function()); });
        return result.get();
    }

    Task<bool> stop() {
        co_await flow_->stop(kPatience);
        co_return true;
    }

    SystemClock clock_;
    PosixFiles files_;
    SystemNetwork network_;
    ThreadRunner writer_{"writer"};
    ThreadRunner keeper_{"keeper"};
    ThreadRunner reader_{"reader"};
    WorkerPool workers_{2};
    LaneThread first_{clock_, Log(), 0, "first"};
    LaneThread second_{clock_, Log(), 1, "second"};
    LaneThread console_{clock_, Log(), 63, "console"};
    std::unique_ptr<MailFlow> flow_;
};

inline std::size_t files_in(const std::filesystem::path& folder) {
    std::size_t count = 0;
    std::error_code none;
    for (auto entry = std::filesystem::directory_iterator(folder, none);
         entry != std::filesystem::directory_iterator();
         ++entry) {
        ++count;
    }
    return count;
}

template <class F>
bool wait_until(F condition) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

}  // namespace mailflow
