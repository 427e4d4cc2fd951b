#include "server/receive/listener.hpp"

#include "tests/support/receive_fixture.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>
#include <vector>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

Endpoint endpoint(const char* text) {
    return Endpoint::parse(text).value();
}

const auto kInUse = boost::system::errc::make_error_code(boost::system::errc::address_in_use);

bool greeted(MemoryPeer& peer) {
    return peer.received().starts_with("220 ");
}

}  // namespace

TEST_CASE(
    "a new configuration opens and closes bindings, live sessions stay", "[receive][listener]") {
    ReceiveFixture f;
    auto peer = f.connect();
    REQUIRE(greeted(peer));

    f.connector().bindings = {endpoint("192.0.2.1:2525"), endpoint("[2001:db8::1]:25")};
    f.apply();

    CHECK(
        f.network.open() ==
        std::set<Endpoint>{endpoint("192.0.2.1:2525"), endpoint("[2001:db8::1]:25")});
    peer.send("NOOP\r\n");
    f.test.poll();
    CHECK(peer.received() == "250 2.0.0 OK\r\n");
    f.connector().enabled = false;
    f.apply();
    CHECK(f.network.open().empty());
    peer.send("NOOP\r\n");
    f.test.poll();
    CHECK(peer.received() == "250 2.0.0 OK\r\n");
}

TEST_CASE("a binding that cannot be opened is named and tried again", "[receive][listener]") {
    ReceiveFixture f;
    f.connector().bindings = {endpoint("192.0.2.1:25"), endpoint("192.0.2.1:587")};
    f.network.fail_listen(endpoint("192.0.2.1:587"), kInUse);
    f.apply();

    auto states = f.server.listeners();
    REQUIRE(states.size() == 2);
    CHECK(states[0].is_open());
    CHECK(states[1].error == kInUse);
    CHECK(states[1].connectors == std::vector<std::string>{"Default Frontend mx"});
    CHECK(
        f.log.count("listener cannot open binding=192.0.2.1:587 connectors=Default Frontend mx") ==
        1);

    f.network.allow_listen(endpoint("192.0.2.1:587"));
    f.apply();
    CHECK(f.server.listeners()[1].is_open());
}

TEST_CASE("port 0 shows the port that was chosen, and finds its connector", "[receive][listener]") {
    ReceiveFixture f;
    f.connector().bindings = {endpoint("127.0.0.1:0")};
    f.apply();
    const auto local = f.server.listeners()[0].local;
    REQUIRE(local.port != 0);

    MemoryPeer peer(local, endpoint("127.0.0.1:40000"));
    f.network.push(peer, local);
    f.test.poll();

    CHECK(greeted(peer));
}

TEST_CASE("port 0 is a port of its own for each connector", "[receive][listener]") {
    ReceiveFixture f;
    f.connector().bindings = {endpoint("127.0.0.1:0")};
    auto second = f.connector();
    second.name = "A second";
    second.banner = "220 second";
    f.parts.receive_connectors.push_back(second);
    f.apply();
    const auto states = f.server.listeners();
    REQUIRE(states.size() == 2);

    MemoryPeer one(states[0].local, endpoint("127.0.0.1:40000"));
    MemoryPeer other(states[1].local, endpoint("127.0.0.1:40000"));
    f.network.push(one, states[0].local);
    f.network.push(other, states[1].local);
    f.test.poll();

    CHECK(states[0].connectors == std::vector<std::string>{"A second"});
    CHECK(states[1].connectors == std::vector<std::string>{"Default Frontend mx"});
    CHECK(one.received() == "220 second\r\n");
    CHECK(other.received() == "220 mx.contoso.com ESMTP mailflow ready\r\n");
}

TEST_CASE(
    "connectors share a binding; the smallest remote range takes the client",
    "[receive][listener]") {
    ReceiveFixture f;
    auto second = f.connector();
    second.name = "Partners";
    second.banner = "220 partners";
    second.remote_ranges = {IpRange::parse("203.0.113.0/24").value()};
    f.parts.receive_connectors.push_back(second);
    f.apply();
    REQUIRE(f.server.listeners().size() == 1);
    CHECK(f.server.listeners()[0].connectors.size() == 2);

    auto stranger = f.connect("198.51.100.7");
    auto partner = f.connect("203.0.113.9");

    CHECK(stranger.received() == "220 mx.contoso.com ESMTP mailflow ready\r\n");
    CHECK(partner.received() == "220 partners\r\n");
}

TEST_CASE("a listener on all addresses serves bindings to single ones", "[receive][listener]") {
    ReceiveFixture f;
    auto second = f.connector();
    second.name = "One address";
    second.bindings = {endpoint("0.0.0.0:25")};
    f.parts.receive_connectors.push_back(second);
    f.apply();

    CHECK(f.network.open() == std::set<Endpoint>{endpoint("0.0.0.0:25")});
}

TEST_CASE(
    "attack case 16: no descriptors: accepting pauses, says so once, and goes on",
    "[receive][listener]") {
    ReceiveFixture f;
    f.apply();
    f.network.fail_accepts_with(
        boost::system::errc::make_error_code(boost::system::errc::too_many_files_open));

    f.test.advance(30s);

    CHECK(f.network.failed_accepts() <= 32);
    CHECK(f.log.count("cannot accept connections") == 1);
    f.network.fail_accepts_with({});
    f.test.advance(2s);
    auto peer = f.connect();
    CHECK(greeted(peer));
}

TEST_CASE(
    "connections over the limit hear 421, and an ended one makes room", "[receive][listener]") {
    ReceiveFixture f;
    f.connector().max_inbound_connection_per_source = 2;
    auto first = f.connect();
    auto second = f.connect();
    REQUIRE(greeted(first));
    REQUIRE(greeted(second));

    auto third = f.connect();
    CHECK(third.received().starts_with(
        "421 4.3.2 The maximum number of concurrent server connections"));
    CHECK(third.is_send_ended());
    auto other = f.connect("198.51.100.8");
    CHECK(greeted(other));

    first.end();
    f.test.poll();
    auto again = f.connect();
    CHECK(greeted(again));
}

TEST_CASE("stopping ends listeners and idle sessions, and nothing is left", "[receive][listener]") {
    ReceiveFixture f;
    auto idle = f.connect();
    auto busy = f.connect();
    REQUIRE(greeted(idle));
    busy.send("EHLO c.example\r\n");
    f.test.poll();

    f.server.stop();
    f.test.advance(5s);

    CHECK(idle.received() == "421 4.3.2 Service not available, closing transmission channel\r\n");
    CHECK(f.network.open().empty());
    CHECK(f.server.live() == 0);
    CHECK(f.test.lane.tasks().live() == 0);
}

TEST_CASE("attack case 15: the addresses of one IPv6 /64 are one source", "[receive][listener]") {
    ReceiveFixture f;
    f.connector().max_inbound_connection_per_source = 2;
    auto first = f.connect("2001:db8:0:1::1");
    auto second = f.connect("2001:db8:0:1:ffff::2");
    REQUIRE(greeted(first));
    REQUIRE(greeted(second));

    auto third = f.connect("2001:db8:0:1::3");
    auto neighbour = f.connect("2001:db8:0:2::1");

    CHECK(third.received().starts_with("421 4.3.2 "));
    CHECK(greeted(neighbour));
}

TEST_CASE(
    "attack case 15: in stress strangers have 10 seconds and one error", "[receive][listener]") {
    ReceiveFixture f;
    f.connector().max_inbound_connection = 10;
    f.connector().max_inbound_connection_percentage_per_source = 100;
    std::vector<MemoryPeer> idle;
    for (int i = 0; i < 8; ++i) {
        idle.push_back(f.connect());
        REQUIRE(greeted(idle.back()));
    }
    f.test.advance(60s);
    CHECK_FALSE(idle.front().is_closed());

    auto ninth = f.connect("198.51.100.8");
    ninth.send("FROBNICATE\r\n");
    f.test.poll();
    CHECK_FALSE(ninth.is_closed());
    ninth.send("FROBNICATE\r\n");
    f.test.advance(3s);
    CHECK(ninth.received().find("421 4.7.0 Too many errors") != std::string::npos);
    CHECK(ninth.is_closed());
    f.test.advance(9s);

    for (auto& peer : idle) {
        CHECK(peer.received().starts_with("451 4.7.0 Timeout"));
        CHECK(peer.is_closed());
    }
    CHECK(f.log.count("stress mode begins connector=Default Frontend mx") == 1);
    CHECK(f.log.count("stress mode ends connector=Default Frontend mx") == 1);
    auto later = f.connect();
    f.test.advance(60s);
    CHECK_FALSE(later.is_closed());
}

TEST_CASE(
    "a balancer's client is counted as itself, and its header is waited for on no account "
    "of ours",
    "[receive][listener][proxy]") {
    ReceiveFixture f;
    f.connector().max_inbound_connection_per_source = 1;
    f.connector().proxy_protocol_from = {IpRange::parse("10.0.0.1").value()};
    auto silent = f.connect("10.0.0.1");
    auto first = f.connect("10.0.0.1");
    first.send("PROXY TCP4 198.51.100.7 192.0.2.1 40000 25\r\n");
    f.test.poll();
    REQUIRE(greeted(first));

    auto second = f.connect("10.0.0.1");
    second.send("PROXY TCP4 198.51.100.7 192.0.2.1 40001 25\r\n");
    auto other = f.connect("10.0.0.1");
    other.send("PROXY TCP4 198.51.100.8 192.0.2.1 40002 25\r\n");
    f.test.poll();

    CHECK(second.received().starts_with("421 4.3.2 "));
    CHECK(greeted(other));
    f.server.stop();
    f.test.advance(1s);
    CHECK(silent.is_closed());
    f.test.advance(5s);
    CHECK(f.server.live() == 0);
}

TEST_CASE(
    "the connector of a proxied connection is the real client's", "[receive][listener][proxy]") {
    ReceiveFixture f;
    f.connector().proxy_protocol_from = {IpRange::parse("10.0.0.1").value()};
    auto second = f.connector();
    second.name = "Partners";
    second.banner = "220 partners";
    second.remote_ranges = {IpRange::parse("203.0.113.0/24").value()};
    f.parts.receive_connectors.push_back(second);

    auto partner = f.connect("10.0.0.1");
    partner.send("PROXY TCP4 203.0.113.9 198.18.0.1 40000 25\r\n");
    auto stranger = f.connect("10.0.0.1");
    stranger.send("PROXY TCP4 198.51.100.7 192.0.2.1 40000 25\r\n");
    f.test.poll();

    CHECK(partner.received() == "220 partners\r\n");
    CHECK(stranger.received() == "220 mx.contoso.com ESMTP mailflow ready\r\n");
}

TEST_CASE("the connector of a session is chosen anew after XCLIENT", "[receive][listener]") {
    ReceiveFixture f;
    f.connector().xclient_from = {IpRange::parse("198.51.100.7").value()};
    auto second = f.connector();
    second.name = "Partners";
    second.banner = "220 partners";
    second.remote_ranges = {IpRange::parse("203.0.113.0/24").value()};
    second.extensions.chunking = false;
    f.parts.receive_connectors.push_back(second);
    auto peer = f.connect();
    peer.send("EHLO proxy.example\r\n");
    f.test.poll();
    REQUIRE(peer.received().find("CHUNKING") != std::string::npos);

    peer.send("XCLIENT ADDR=203.0.113.9\r\nEHLO c.example\r\n");
    f.test.poll();
    const auto said = peer.received();

    CHECK(said.find("220 partners\r\n250-mx.contoso.com Hello [203.0.113.9]\r\n") == 0);
    CHECK(said.find("CHUNKING") == std::string::npos);
}

// ---- real sockets

namespace {

// The last line of the next reply; empty when the connection is over.
Task<std::string> next_reply(Connection& connection) {
    for (;;) {
        const auto line = co_await connection.read_line(1000);
        if (!line) {
            co_return std::string();
        }
        if (line->size() < 4 || (*line)[3] != '-') {
            co_return std::string(*line);
        }
    }
}

// A whole session; the reply to the final dot.
Task<std::string> send_message(Network& network, Lane& lane, Endpoint to, std::string body) {
    const auto soon = lane.clock().monotonic() + 20s;
    auto stream = co_await network.connect(lane, to, std::nullopt, soon);
    Connection connection(lane, std::move(stream.value()));
    connection.expires_after(60s);
    std::string reply;
    reply = co_await next_reply(connection);
    co_await connection.write("EHLO c.example\r\n");
    reply = co_await next_reply(connection);
    co_await connection.write(
        "MAIL FROM:<bob@example.com>\r\nRCPT TO:<alice@contoso.com>\r\nDATA\r\n");
    for (int i = 0; i < 3; ++i) {
        reply = co_await next_reply(connection);
    }
    co_await connection.write(body);
    connection.shutdown_send();
    reply = co_await next_reply(connection);
    co_return reply;
}

}  // namespace

TEST_CASE("a message crosses real sockets, on two lanes", "[receive][listener]") {
    asio::io_context context(1);
    const SystemClock clock;
    SeededRandom random;
    SystemNetwork network;
    MemoryLog log;
    MemoryBodies bodies;
    MemoryStore store(&bodies);
    MemoryDirectory directory;
    MemoryTracking tracking;
    directory.add_mailbox("alice", {"alice@contoso.com"});
    std::size_t announced = 0;
    Lane first({context, clock, random, Log(log), 0, true});
    Lane second({context, clock, random, Log(log), 1, true});
    QueueIdSource first_ids(clock, 0);
    QueueIdSource second_ids(clock, 1);
    const auto announce = [&](const QueuedMessagePtr&) {
        ++announced;
    };
    ReceiveLane a({first, store, bodies, directory, tracking, first_ids, announce, Log(log)});
    ReceiveLane b({second, store, bodies, directory, tracking, second_ids, announce, Log(log)});
    ReceiveFixture settings;
    settings.connector().bindings = {endpoint("127.0.0.1:0")};
    ReceiveServer server(network, {&a, &b});
    server.apply(std::make_shared<const Organization>(settings.parts));
    const auto local = server.listeners().front().local;

    std::string large = "Subject: large\r\n\r\n";
    while (large.size() < 3'000'000) {
        large += std::string(98, 'x') + "\r\n";
    }
    for (int i = 0; i < 4; ++i) {
        const auto said = run_task(context, send_message(network, first, local, large + ".\r\n"));
        CHECK(said.starts_with("250 2.6.0 "));
    }

    CHECK(announced == 4);
    for (const auto& [id, message] : store.messages()) {
        CHECK(*bodies.find(id) == large);
    }
    server.stop();
    while (server.live() > 0) {
        context.run_one();
    }
    CHECK(a.sessions.empty());
    CHECK(b.sessions.empty());
}
