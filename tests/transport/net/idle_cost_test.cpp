// What a session that waits for a command costs: memory it holds, allocations per command.
#include "tests/support/allocation_count.hpp"
#include "tests/support/run_task.hpp"
#include "tests/transport/net/answer_lines.hpp"
#include "transport/net/connection.hpp"
#include "transport/net/network.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <iostream>
#include <vector>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

Task<void> serve(Lane* lane, std::unique_ptr<Stream> stream) {
    Connection connection(*lane, std::move(stream));
    co_await answer_lines(&connection);
}

// Sockets on both ends, so that what Asio holds per wait is in the figure.
struct Idle {
    TestLane test;
    SystemNetwork network;
    std::unique_ptr<Acceptor> acceptor{
        network.listen(test.lane, {IpAddress::v4(0x7f000001), 0}).value()};
    std::vector<std::unique_ptr<Stream>> clients;
    std::vector<std::unique_ptr<Stream>> servers;

    explicit Idle(std::size_t count) {
        clients.reserve(count);
        servers.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            const auto until = test.clock.monotonic() + 10s;
            clients.push_back(
                test.run(network.connect(test.lane, acceptor->local(), std::nullopt, until))
                    .value());
            servers.push_back(test.run(acceptor->accept(test.lane)).value());
        }
    }

    ~Idle() {
        clients.clear();
        for (int i = 0; i < 100 && test.lane.tasks().live() > 0; ++i) {
            test.poll();
        }
    }

    Idle(const Idle&) = delete;
    Idle& operator=(const Idle&) = delete;

    void start() {
        for (auto& server : servers) {
            test.lane.spawn("session", serve(&test.lane, std::move(server)));
        }
        test.poll();
    }

    void command(std::size_t client) {
        const std::string_view line = "NOOP\r\n";
        REQUIRE(clients[client]->try_write(line).has_value());
        std::array<char, 100> reply{};
        while (!clients[client]->try_read(reply)) {
            test.poll();
        }
    }
};

}  // namespace

TEST_CASE("a session that waits for a line holds little", "[net][cost]") {
    constexpr std::size_t kSessions = 64;
    Idle idle(kSessions);
    const auto before = allocated_octets();

    idle.start();

    const auto each = (allocated_octets() - before) / kSessions;
    std::cout << "idle session: " << each << " octets of frames, connection and pending wait\n";
    CHECK(each <= 2048);
}

TEST_CASE("a command costs a bounded number of allocations", "[net][cost]") {
    Idle idle(4);
    idle.start();
    for (int i = 0; i < 10; ++i) {
        idle.command(0);
    }
    const auto before = allocation_count();

    constexpr std::size_t kCommands = 100;
    for (std::size_t i = 0; i < kCommands; ++i) {
        idle.command(i % 4);
    }

    const auto total = allocation_count() - before;
    std::cout << "allocations for " << kCommands << " commands: " << total << "\n";
    CHECK(total <= 2 * kCommands);
}
