#include "tests/simulation/sim_network.hpp"

#include "tests/simulation/sim_loop.hpp"
#include "tests/support/seeded_random.hpp"
#include "transport/base/error.hpp"
#include "transport/net/connection.hpp"

#include <catch2/catch.hpp>

#include <optional>

namespace mailflow::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr UtcTime kStart{std::chrono::hours(24 * 365 * 56)};

IpAddress address(const char* text) {
    return IpAddress::parse(text).value();
}

// A server that sends back what it gets, line by line.
Task<void> echo(Lane* lane, std::unique_ptr<Stream> stream) {
    Connection connection(*lane, std::move(stream));
    for (;;) {
        const auto line = co_await connection.read_line(1000);
        if (!line) {
            co_return;
        }
        const auto answer = std::string(*line) + "\r\n";
        const auto error = co_await connection.write(answer);
        if (error) {
            co_return;
        }
    }
}

Task<void> listen(Lane* lane, Acceptor* acceptor) {
    for (;;) {
        auto stream = co_await acceptor->accept(*lane);
        if (!stream) {
            co_return;
        }
        lane->spawn("echo", echo(lane, std::move(*stream)));
    }
}

struct Outcome {
    std::vector<std::string> lines;
    ErrorCode error;
    std::optional<MonotonicTime> ended;
};

Task<void> ask(Lane* lane, SimHost* from, Endpoint to, int count, Outcome* outcome) {
    auto stream =
        co_await from->connect(*lane, to, std::nullopt, lane->clock().monotonic() + seconds(30));
    if (!stream) {
        outcome->error = stream.error();
        outcome->ended = lane->clock().monotonic();
        co_return;
    }
    Connection connection(*lane, std::move(*stream));
    for (int i = 0; i < count && !outcome->error; ++i) {
        co_await connection.write("0123456789\r\n");
        const auto line = co_await connection.read_line(1000);
        if (line) {
            outcome->lines.emplace_back(*line);
        } else {
            outcome->error = line.error();
        }
    }
    outcome->ended = lane->clock().monotonic();
}

struct Net {
    Net() {
        loop.add(lane);
        acceptor = std::move(server.listen(lane, at).value());
        lane.spawn("listen", listen(&lane, acceptor.get()));
    }

    ~Net() {
        // Whoever still waits on a connection wakes and ends.
        acceptor->close();
        client.die();
        server.die();
        loop.settle();
        loop.remove(lane);
    }

    void use(SimFaults faults) {
        network.choose_faults([faults](const Endpoint&, const Endpoint&) { return faults; });
    }

    void run(Outcome& outcome) {
        const auto latest = loop.now() + std::chrono::hours(1);
        while (!outcome.ended && loop.now() < latest) {
            loop.settle();
            if (!outcome.ended) {
                loop.advance(latest);
            }
        }
    }

    Outcome talk(int count) {
        Outcome outcome;
        lane.spawn("ask", ask(&lane, &client, at, count, &outcome));
        run(outcome);
        return outcome;
    }

    SimLoop loop{kStart};
    SimNetwork network{loop.events()};
    SeededRandom random;
    Lane lane{{loop.context(), loop.clock(), random, Log(), 0, false}};
    SimHost server{network, address("192.0.2.1")};
    SimHost client{network, address("192.0.2.2")};
    Endpoint at{address("192.0.2.1"), 25};
    std::unique_ptr<Acceptor> acceptor;
};

TEST_CASE("octets travel in order and take the latency each way", "[simulation]") {
    Net net;
    net.use({{}, {}, milliseconds(20)});
    const auto start = net.loop.now();

    const auto outcome = net.talk(3);

    CHECK_FALSE(outcome.error);
    CHECK(outcome.lines == std::vector<std::string>(3, "0123456789"));
    CHECK(*outcome.ended - start == milliseconds(40 + 3 * 40));
}

TEST_CASE("a connection can be cut after any octet in either direction", "[simulation]") {
    for (std::uint64_t octets = 1; octets <= 36; ++octets) {
        for (const bool by_client : {true, false}) {
            Net net;
            SimFaults faults;
            (by_client ? faults.cut_client_after : faults.cut_server_after) = octets;
            net.use(faults);

            const auto outcome = net.talk(4);

            INFO((by_client ? "client to server " : "server to client ") << octets);
            const bool is_reset = outcome.error == boost::system::errc::connection_reset;
            CHECK(is_reset);
            CHECK(net.network.counters().cut == 1);
            // A line is there only when all of it came through. The cut reaches both ends at once.
            CHECK(outcome.lines.size() <= octets / 12);
        }
    }
}

TEST_CASE("a host that is down refuses, a black hole says nothing", "[simulation]") {
    Net net;
    const auto start = net.loop.now();

    net.network.set_black_hole(net.at.address, true);
    const auto silent = net.talk(1);
    net.network.set_black_hole(net.at.address, false);
    net.acceptor->close();
    const auto refused = net.talk(1);

    CHECK(silent.error == Error::timed_out);
    CHECK(*silent.ended - start == seconds(30));
    const bool is_refused = refused.error == boost::system::errc::connection_refused;
    CHECK(is_refused);
}

TEST_CASE("a host that dies sends no further octet and its ports are closed", "[simulation]") {
    Net net;
    net.use({{}, {}, milliseconds(20)});
    Outcome outcome;
    net.lane.spawn("ask", ask(&net.lane, &net.client, net.at, 100, &outcome));
    net.loop.events().after(milliseconds(210), [&net] { net.server.die(); });

    net.run(outcome);

    const bool is_reset = outcome.error == boost::system::errc::connection_reset;
    CHECK(is_reset);
    CHECK(outcome.lines.size() == 4);
    CHECK(net.talk(1).error);
    net.server.revive();
    net.acceptor = std::move(net.server.listen(net.lane, net.at).value());
    net.lane.spawn("listen", listen(&net.lane, net.acceptor.get()));
    CHECK_FALSE(net.talk(1).error);
}

TEST_CASE("one connection can be cut by hand", "[simulation]") {
    Net net;
    Outcome outcome;
    net.lane.spawn("ask", ask(&net.lane, &net.client, net.at, 1000, &outcome));
    bool was_there = false;
    net.loop.events().after(milliseconds(100), [&net, &was_there] {
        was_there = net.client.cut({net.client.address(), 40000});
    });

    net.run(outcome);

    CHECK(was_there);
    CHECK(outcome.error);
    CHECK_FALSE(net.client.cut({net.client.address(), 40000}));
}

Task<void> spin(Lane* lane) {
    for (;;) {
        const auto now = lane->clock().monotonic();
        co_await lane->sleep_until(now);
        if (lane->is_stopping()) {
            co_return;
        }
    }
}

TEST_CASE("a loop in which time stands still is an error, not a hang", "[simulation]") {
    Net net;
    net.lane.spawn("spin", spin(&net.lane));

    CHECK_THROWS_WITH(net.loop.settle(), Catch::Contains("time stands still"));

    net.lane.stop();
}

}  // namespace
}  // namespace mailflow::sim
