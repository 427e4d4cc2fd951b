#include "tests/support/run_task.hpp"
#include "transport/base/error.hpp"
#include "transport/net/connection.hpp"
#include "transport/net/network.hpp"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

using StreamPtr = std::unique_ptr<Stream>;

Endpoint loopback(std::uint16_t port = 0) {
    return {IpAddress::v4(0x7f000001), port};
}

struct Fixture {
    asio::io_context context{1};
    SystemClock clock;
    SeededRandom random;
    Lane lane{{context, clock, random, Log(), 0, true}};
    SystemNetwork network;

    [[nodiscard]] MonotonicTime soon() const { return clock.monotonic() + 20s; }

    Result<StreamPtr> connect(const Endpoint& to, std::optional<IpAddress> source = std::nullopt) {
        return run_task(context, network.connect(lane, to, source, soon()));
    }

    Result<StreamPtr> accept(Acceptor& acceptor) {
        return run_task(context, acceptor.accept(lane));
    }

    std::pair<StreamPtr, StreamPtr> pair() {
        auto acceptor = network.listen(lane, loopback()).value();
        auto client = connect(acceptor->local());
        auto server = accept(*acceptor);
        return {std::move(client.value()), std::move(server.value())};
    }
};

Task<std::string> read_one(Connection& connection) {
    const auto line = co_await connection.read_line(100);
    if (!line) {
        co_return "<" + line.error().message() + ">";
    }
    co_return std::string(*line);
}

Task<ErrorCode> write_one(Connection& connection, std::string bytes) {
    const auto error = co_await connection.write(bytes);
    co_return error;
}

}  // namespace

TEST_CASE("a listener tells the port it got, and both ends know both addresses", "[net][network]") {
    Fixture fixture;
    auto acceptor = fixture.network.listen(fixture.lane, loopback()).value();
    REQUIRE(acceptor->local().port != 0);

    auto client = fixture.connect(acceptor->local()).value();
    auto server = fixture.accept(*acceptor).value();

    CHECK(client->remote() == acceptor->local());
    CHECK(server->local() == client->remote());
    CHECK(server->remote() == client->local());
}

TEST_CASE("IPv6 listeners and connections work where the host has IPv6", "[net][network]") {
    Fixture fixture;
    const auto any = IpAddress::parse("::").value();
    auto acceptor = fixture.network.listen(fixture.lane, {any, 0});
    if (!acceptor) {
        WARN("no IPv6 on this host: " << acceptor.error().message());
        return;
    }
    const auto port = (*acceptor)->local().port;

    auto client = fixture.connect({IpAddress::parse("::1").value(), port});
    if (client) {
        auto server = fixture.accept(**acceptor).value();
        CHECK(server->remote().address.is_v6());
    }
    // IPv4 clients are not let in by this listener.
    const auto v4 = fixture.connect(loopback(port));
    CHECK(v4.error() == boost::system::errc::connection_refused);
}

TEST_CASE("lines cross a real connection both ways", "[net][network]") {
    Fixture fixture;
    auto [client_stream, server_stream] = fixture.pair();
    Connection client(fixture.lane, std::move(client_stream));
    Connection server(fixture.lane, std::move(server_stream));

    CHECK_FALSE(run_task(fixture.context, write_one(client, "EHLO x\r\nNOOP\r\n")));
    CHECK(run_task(fixture.context, read_one(server)) == "EHLO x");
    CHECK(run_task(fixture.context, read_one(server)) == "NOOP");
    CHECK_FALSE(run_task(fixture.context, write_one(server, "250 ok\r\n")));
    CHECK(run_task(fixture.context, read_one(client)) == "250 ok");
}

TEST_CASE("a half-closed connection still carries the answer", "[net][network]") {
    Fixture fixture;
    auto [client_stream, server_stream] = fixture.pair();
    Connection client(fixture.lane, std::move(client_stream));
    Connection server(fixture.lane, std::move(server_stream));

    CHECK_FALSE(run_task(fixture.context, write_one(client, "last\r\n")));
    client.shutdown_send();
    CHECK(run_task(fixture.context, read_one(server)) == "last");
    const auto end = run_task(fixture.context, read_one(server));
    CHECK_FALSE(run_task(fixture.context, write_one(server, "250 ok\r\n")));

    CHECK(end == "<" + make_error_code(Error::end_of_stream).message() + ">");
    CHECK(run_task(fixture.context, read_one(client)) == "250 ok");
}

TEST_CASE("a reset ends reads and writes with an error", "[net][network]") {
    Fixture fixture;
    auto acceptor = fixture.network.listen(fixture.lane, loopback()).value();
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(acceptor->local().port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(descriptor, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0);
    Connection server(fixture.lane, fixture.accept(*acceptor).value());

    const linger at_once{1, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    ::close(descriptor);

    const auto reset = boost::system::errc::make_error_code(boost::system::errc::connection_reset);
    CHECK(run_task(fixture.context, read_one(server)) == "<" + reset.message() + ">");
    CHECK(run_task(fixture.context, write_one(server, "x")));
}

TEST_CASE("the wheel closes a real socket during a read", "[net][network]") {
    TestLane test;
    SystemNetwork network;
    auto acceptor = network.listen(test.lane, loopback()).value();
    auto client = test.run(
        network.connect(test.lane, acceptor->local(), std::nullopt, test.clock.monotonic() + 30s));
    Connection server(test.lane, test.run(acceptor->accept(test.lane)).value());

    server.expires_after(5s);
    const auto during = test.run(read_one(server));
    const auto after = test.run(read_one(server));

    CHECK(during == "<" + make_error_code(Error::timed_out).message() + ">");
    CHECK(after == during);
}

TEST_CASE("connecting to a closed port is refused", "[net][network]") {
    Fixture fixture;
    auto acceptor = fixture.network.listen(fixture.lane, loopback()).value();
    const auto closed = acceptor->local();
    acceptor.reset();

    const auto result = fixture.connect(closed);

    CHECK(result.error() == boost::system::errc::connection_refused);
}

TEST_CASE("a connection that is not answered times out at its deadline", "[net][network]") {
    TestLane test;
    SystemNetwork network;
    // A listener whose queue is full: the kernel drops further SYNs.
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener, 0) == 0);
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    std::vector<int> fillers;
    for (int i = 0; i < 4; ++i) {
        fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        ::connect(fillers.back(), reinterpret_cast<const sockaddr*>(&address), size);
    }
    const auto start = test.clock.monotonic();

    const auto result = test.run(
        network.connect(test.lane, loopback(ntohs(address.sin_port)), std::nullopt, start + 30s));

    CHECK(result.error() == Error::timed_out);
    CHECK(test.clock.monotonic() >= start + 30s);
    for (const int filler : fillers) {
        ::close(filler);
    }
    ::close(listener);
}

TEST_CASE("a connection can be bound to a source address", "[net][network]") {
    Fixture fixture;
    auto acceptor = fixture.network.listen(fixture.lane, loopback()).value();

    auto client = fixture.connect(acceptor->local(), IpAddress::v4(0x7f000002));

    REQUIRE(client);
    CHECK((*client)->local().address == IpAddress::v4(0x7f000002));
}

TEST_CASE("binding a port that is in use says so", "[net][network]") {
    Fixture fixture;
    auto acceptor = fixture.network.listen(fixture.lane, loopback()).value();

    const auto second = fixture.network.listen(fixture.lane, acceptor->local());

    CHECK(second.error() == boost::system::errc::address_in_use);
}

namespace {

Task<void> accept_into(Acceptor* acceptor, Lane* lane, Result<StreamPtr>* into) {
    auto result = co_await acceptor->accept(*lane);
    *into = std::move(result);
}

}  // namespace

TEST_CASE("closing an acceptor ends its accept with cancelled", "[net][network]") {
    TestLane test;
    SystemNetwork network;
    auto acceptor = network.listen(test.lane, loopback()).value();
    Result<StreamPtr> result = ErrorCode(Error::would_block);
    test.lane.spawn("accept", accept_into(acceptor.get(), &test.lane, &result));
    test.poll();

    acceptor->close();
    test.poll();

    CHECK(result.error() == Error::cancelled);
}

TEST_CASE("running out of descriptors is an error of accept, and passes", "[net][network]") {
    Fixture fixture;
    auto acceptor = fixture.network.listen(fixture.lane, loopback()).value();
    auto client = fixture.connect(acceptor->local()).value();
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const int next_free = ::dup(0);
    ::close(next_free);
    const rlimit none_left{static_cast<rlim_t>(next_free), before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none_left) == 0);

    const auto failed = fixture.accept(*acceptor);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    const auto worked = fixture.accept(*acceptor);

    CHECK(failed.error() == boost::system::errc::too_many_files_open);
    CHECK(worked.has_value());
}
