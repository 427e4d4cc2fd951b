#include "server/daemon/mail_flow.hpp"

#include "server/daemon/lane_thread.hpp"
#include "server/daemon/worker_pool.hpp"
#include "storage/posix_files.hpp"
#include "tests/flow/blocking_client.hpp"
#include "tests/support/fake_resolver.hpp"
#include "tests/support/temp_directory.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <future>
#include <thread>

using namespace mailflow;

namespace {

constexpr std::size_t kClients = 4;
constexpr std::size_t kMessagesEach = 25;
constexpr auto kPatience = std::chrono::seconds(30);

// The whole flow on real threads: two lanes, console, writer, keeper, reader, workers.
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

std::size_t files_in(const std::filesystem::path& folder) {
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

// What the clients were told, one reply for each message.
std::vector<std::string> send_from_threads(std::uint16_t port, const std::string& to) {
    std::vector<std::future<std::vector<std::string>>> clients;
    for (std::size_t i = 0; i < kClients; ++i) {
        clients.push_back(std::async(std::launch::async, [port, to] {
            std::vector<std::string> replies;
            BlockingClient client(port);
            client.say("EHLO client.example.com");
            for (std::size_t n = 0; n < kMessagesEach; ++n) {
                replies.push_back(client.send("alice@example.com", to, "Subject: x\r\n\r\nhello"));
            }
            return replies;
        }));
    }
    std::vector<std::string> all;
    for (auto& client : clients) {
        auto replies = client.get();
        all.insert(all.end(), replies.begin(), replies.end());
    }
    return all;
}

}  // namespace

TEST_CASE("Mail from several threads reaches a Maildir while the configuration changes", "[flow]") {
    TempDirectory folder;
    RunningFlow flow(folder.path());
    const auto port = flow.port("Default Frontend mail.contoso.com");

    auto sending = std::async(
        std::launch::async, [port] { return send_from_threads(port, "postmaster@contoso.com"); });
    for (int i = 0; i < 10; ++i) {
        flow.change(
            "mailbox", "user " + std::to_string(i), {{"alias", "user" + std::to_string(i)}});
    }
    const auto replies = sending.get();

    for (const auto& reply : replies) {
        REQUIRE(reply.rfind("250 2.6.0", 0) == 0);
    }
    CHECK(wait_until([&folder] {
        return files_in(folder.path() + "/mail/postmaster/new") == kClients * kMessagesEach;
    }));
}

TEST_CASE("Mail from several threads leaves by MX over both lanes", "[flow]") {
    TempDirectory folder;
    BlockingSink sink;
    const auto port = BlockingSink().port();  // free again
    RunningFlow flow(folder.path());
    flow.change(
        "receive-connector",
        "Local applications",
        {{"bindings", {"127.0.0.1:" + std::to_string(port)}},
         {"remote_ranges", {"127.0.0.0/8"}},
         {"permission_groups", {"anonymous"}},
         {"permissions", {"any-recipient"}}});
    flow.change("send-connector", "Internet", {{"address_spaces", {"*"}}, {"port", sink.port()}});
    REQUIRE(wait_until([&flow] { return flow.port("Local applications") != 0; }));

    const auto replies = send_from_threads(port, "bob@fabrikam.com");

    for (const auto& reply : replies) {
        REQUIRE(reply.rfind("250 2.6.0", 0) == 0);
    }
    CHECK(wait_until([&sink] { return sink.messages() == kClients * kMessagesEach; }));
    CHECK(wait_until([&flow] { return flow.statistics().messages == 0; }));
}
