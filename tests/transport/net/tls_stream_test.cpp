#include "transport/net/tls_stream.hpp"

#include "tests/transport/net/tls_fixture.hpp"
#include "transport/net/network.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <string>
#include <vector>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

std::string read_all(Stream& stream, std::size_t size = 65536) {
    std::string all;
    std::vector<char> octets(size);
    for (;;) {
        const auto count = stream.try_read(octets);
        if (!count) {
            return all;
        }
        all.append(octets.data(), *count);
    }
}

ErrorCode end_of(Stream& stream) {
    std::array<char, 100> octets{};
    const auto count = stream.try_read(octets);
    return count ? ErrorCode() : count.error();
}

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>('!' + i * 7 % 90);
    }
    return text;
}

}  // namespace

TEST_CASE("TLS carries octets both ways, cut anywhere", "[net][tls]") {
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    const auto piece = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{7});
    TlsFixture fixture;
    if (piece > 0) fixture.peer.limit_reads(piece);
    TlsClient client(fixture.peer, client_of(version));
    auto& stream = fixture.shake(client);

    client.write("EHLO client.example\r\n");
    client.write("NOOP\r\n");
    const auto heard = read_all(stream);
    const std::string_view reply = "250 2.0.0 OK\r\n";
    const auto written = stream.try_write(reply);

    CHECK(heard == "EHLO client.example\r\nNOOP\r\n");
    REQUIRE(written.has_value());
    CHECK(*written == reply.size());
    CHECK(client.read() == reply);
    CHECK(fixture.facts().version == (version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2"));
}

TEST_CASE("a read gives all that has arrived, over any number of records", "[net][tls]") {
    TlsFixture fixture;
    TlsClient client(fixture.peer);
    auto& stream = fixture.shake(client);
    const auto text = pattern(300);
    for (const char octet : text)
        client.write({&octet, 1});
    std::array<char, 200> octets{};

    const auto first = stream.try_read(octets);
    const std::string front(octets.data(), 200);
    const auto second = stream.try_read(octets);
    const auto third = stream.try_read(octets);

    CHECK(first.value() == 200);
    CHECK(front == text.substr(0, 200));
    CHECK(second.value() == 100);
    CHECK(third.error() == Error::would_block);
}

TEST_CASE("waiting is over at once while OpenSSL holds octets or an end", "[net][tls]") {
    TlsFixture fixture;
    TlsClient client(fixture.peer);
    auto& stream = fixture.shake(client);
    client.write("abcdef");
    client.send_close_notify();
    std::array<char, 3> octets{};
    REQUIRE(stream.try_read(octets).value() == 3);
    REQUIRE(fixture.peer.unread() == 0);  // all of it is inside OpenSSL

    const auto with_octets = fixture.test.run(stream.wait(Readiness::readable));
    REQUIRE(stream.try_read(octets).value() == 3);
    const auto with_end = fixture.test.run(stream.wait(Readiness::readable));

    CHECK_FALSE(with_octets);
    CHECK_FALSE(with_end);
    CHECK(end_of(stream) == Error::end_of_stream);
    CHECK_FALSE(fixture.test.run(stream.wait(Readiness::readable)));
}

TEST_CASE("octets sent right behind the handshake are not lost", "[net][tls]") {
    TlsFixture fixture;
    fixture.peer.limit_reads(100000);
    TlsClient client(fixture.peer, client_of(TLS1_3_VERSION));
    fixture.start();
    // The client's last flight and its first command in one segment.
    SSL_do_handshake(client.ssl());
    client.push();
    fixture.test.poll();
    client.pull();
    REQUIRE(SSL_do_handshake(client.ssl()) == 1);
    REQUIRE(SSL_write(client.ssl(), "EHLO x\r\n", 8) == 8);
    client.push();
    fixture.test.poll();
    REQUIRE(fixture.outcome.value->has_value());

    REQUIRE_FALSE(fixture.test.run(fixture.stream().wait(Readiness::readable)));

    CHECK(read_all(fixture.stream()) == "EHLO x\r\n");
}

TEST_CASE("the last flight of the client is acknowledged once we wait", "[net][tls]") {
    TlsFixture fixture;
    TlsClient client(fixture.peer);
    auto& stream = fixture.shake(client);
    const auto wait = [&] {
        REQUIRE(end_of(stream) == Error::would_block);
        auto waiting = stream.wait(Readiness::readable);
        return fixture.peer.acknowledgements();
    };

    CHECK(fixture.peer.acknowledgements() == 0);
    CHECK(wait() == 1);
    CHECK(wait() == 1);
}

TEST_CASE("an end that was said differs from one that just came", "[net][tls]") {
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    TlsFixture fixture;
    TlsClient client(fixture.peer, client_of(version));
    auto& stream = fixture.shake(client);
    client.write("last words");

    SECTION("close_notify is the end of the stream") {
        client.send_close_notify();
        fixture.peer.end();
        CHECK(read_all(stream) == "last words");
        CHECK(end_of(stream) == Error::end_of_stream);
    }
    SECTION("without it the stream is truncated") {
        fixture.peer.end();
        CHECK(read_all(stream) == "last words");
        CHECK(end_of(stream) == Error::truncated);
        CHECK(end_of(stream) == Error::truncated);
    }
    SECTION("a reset is a reset") {
        REQUIRE(read_all(stream) == "last words");
        fixture.peer.break_off();
        CHECK(end_of(stream) == boost::system::errc::connection_reset);
    }
    SECTION("octets that are no TLS are an error, and nothing is written after it") {
        fixture.peer.send("QUIT\r\nQUIT\r\n");
        CHECK(read_all(stream) == "last words");
        CHECK(end_of(stream) == Error::tls_failed);
        CHECK(stream.try_write(std::string_view("x")).error() == Error::tls_failed);
    }
    SECTION("a changed record is an error") {
        client.pull();
        REQUIRE(read_all(stream) == "last words");
        REQUIRE(SSL_write(client.ssl(), "secret", 6) == 6);
        std::array<char, 1000> record{};
        const int size =
            BIO_read(SSL_get_wbio(client.ssl()), record.data(), static_cast<int>(record.size()));
        record.at(static_cast<std::size_t>(size) - 1) ^= 1;
        fixture.peer.send({record.data(), static_cast<std::size_t>(size)});
        CHECK(end_of(stream) == Error::tls_failed);
    }
}

TEST_CASE("each side may end its sending while it still listens", "[net][tls]") {
    TlsFixture fixture;
    TlsClient client(fixture.peer, client_of(TLS1_3_VERSION));
    auto& stream = fixture.shake(client);

    SECTION("we are told everything after we have said our last") {
        stream.shutdown_send();
        CHECK(client.read().empty());
        CHECK(client.has_ended());
        CHECK(fixture.peer.is_send_ended());
        client.write("still here");
        CHECK(read_all(stream) == "still here");
        CHECK(stream.try_write(std::string_view("no")).error() == Error::cancelled);
    }
    SECTION("we answer a peer that has said its last") {
        client.write("DATA");
        client.send_close_notify();
        CHECK(read_all(stream) == "DATA");
        REQUIRE(stream.try_write(std::string_view("250 OK")).has_value());
        CHECK(client.read() == "250 OK");
    }
}

TEST_CASE("a small window stops a writer, who goes on from there", "[net][tls]") {
    TlsFixture fixture;
    TlsClient client(fixture.peer);
    auto& stream = fixture.shake(client);
    const auto text = pattern(100000);
    std::string_view rest = text;
    std::string heard;
    fixture.peer.set_room(0);
    REQUIRE(stream.try_write(rest).error() == Error::would_block);

    while (!rest.empty()) {
        fixture.peer.set_room(1000);
        REQUIRE_FALSE(fixture.test.run(stream.wait(Readiness::writable)));
        // From another place in memory: what is written may move between tries.
        const std::string moved(rest);
        const auto count = stream.try_write(moved);
        if (count) rest.remove_prefix(*count);
        heard += client.read();
    }

    CHECK(heard == text);
}

// Attack case 8, CVE-2009-3555.
TEST_CASE(
    "attack case 8: a renegotiation is refused and the session goes on", "[net][tls][attack]") {
    TlsFixture fixture;
    TlsClient client(fixture.peer, client_of(TLS1_2_VERSION));
    auto& stream = fixture.shake(client);

    SSL_renegotiate(client.ssl());
    SSL_do_handshake(client.ssl());
    client.push();
    const auto heard = read_all(stream);
    client.read();

    CHECK(heard.empty());
    CHECK(client.failure() == "no renegotiation");
    CHECK(stream.try_write(std::string_view("250 OK\r\n")).has_value());
}

TEST_CASE("a key update of the peer is followed", "[net][tls]") {
    TlsFixture fixture;
    TlsClient client(fixture.peer, client_of(TLS1_3_VERSION));
    auto& stream = fixture.shake(client);
    REQUIRE(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);

    client.write("after");
    const auto heard = read_all(stream);
    const auto written = stream.try_write(std::string_view("answer"));

    CHECK(heard == "after");
    CHECK(written.has_value());
    CHECK(client.read() == "answer");
}

TEST_CASE("messages of TLS that carry nothing do not keep a lane busy", "[net][tls][attack]") {
    TlsFixture fixture;
    TlsClient client(fixture.peer, client_of(TLS1_3_VERSION));
    auto& stream = fixture.shake(client);
    for (int i = 0; i < 5000; ++i) {
        REQUIRE(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
        SSL_do_handshake(client.ssl());
        client.push();
    }
    const auto sent = fixture.peer.unread();
    fixture.peer.limit_reads(1000);

    CHECK(end_of(stream) == Error::would_block);

    CHECK(fixture.peer.unread() > sent / 2);
}

// ---- over sockets

namespace {

Task<void> send_all(Stream* stream, std::string text) {
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto count = stream->try_write(rest);
        if (count) {
            rest.remove_prefix(*count);
        } else if (count.error() == Error::would_block) {
            co_await stream->wait(Readiness::writable);
        } else {
            break;
        }
    }
    stream->shutdown_send();
}

Task<ErrorCode> receive_all(Stream* stream, std::string* into) {
    std::vector<char> octets(20000);
    for (;;) {
        const auto count = stream->try_read(octets);
        if (count) {
            into->append(octets.data(), *count);
        } else if (count.error() == Error::would_block) {
            co_await stream->wait(Readiness::readable);
        } else {
            co_return count.error();
        }
    }
}

Task<void> receive_into(Stream* stream, std::string* into, ErrorCode* end) {
    *end = co_await receive_all(stream, into);
}

}  // namespace

TEST_CASE("megabytes cross both ways at once over sockets", "[net][tls]") {
    TestLane test;
    SystemNetwork network;
    const auto acceptor = network.listen(test.lane, {IpAddress::v4(0x7f000001), 0}).value();
    const auto until = test.clock.monotonic() + 30s;
    auto client_end =
        test.run(network.connect(test.lane, acceptor->local(), std::nullopt, until)).value();
    TlsOutcome server;
    test.lane.spawn(
        "accept",
        accept_into(
            &test.lane, test.run(acceptor->accept(test.lane)).value(), kServer, 30s, &server));
    std::string why;
    auto connected = test.run(connect_tls(
        test.lane,
        std::move(client_end),
        make_test_client_context(),
        "mail.contoso.com",
        until,
        &why));
    REQUIRE(connected.has_value());
    while (!server.value)
        test.poll();
    REQUIRE(server.value->has_value());
    auto& here = *(*server.value)->stream;
    auto& there = *connected->stream;
    const auto text = pattern(3 * 1024 * 1024);

    std::string heard_here;
    std::string heard_there;
    ErrorCode end_here;
    ErrorCode end_there;
    test.lane.spawn("send", send_all(&here, text));
    test.lane.spawn("send", send_all(&there, text));
    test.lane.spawn("receive", receive_into(&here, &heard_here, &end_here));
    test.lane.spawn("receive", receive_into(&there, &heard_there, &end_there));
    while (!end_here || !end_there)
        test.poll();

    CHECK(heard_here == text);
    CHECK(heard_there == text);
    CHECK(end_here == Error::end_of_stream);
    CHECK(end_there == Error::end_of_stream);
    CHECK((*server.value)->facts.server_name == "mail.contoso.com");
    CHECK(connected->facts.peer_subject == "CN=mail.contoso.com");
    CHECK_FALSE(connected->facts.peer_verified);
    CHECK((*server.value)->facts.channel_binding == connected->facts.channel_binding);
    CHECK(here.remote() == there.local());
}
