#include "transport/net/tls_stream.hpp"

#include "tests/support/tls_client.hpp"
#include "transport/base/error.hpp"
#include "transport/net/connection.hpp"
#include "transport/net/network.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <optional>
#include <string>
#include <vector>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

const auto kServer = make_test_server_context();

std::shared_ptr<ssl_ctx_st> client_of(int version, std::shared_ptr<ssl_ctx_st> context = {}) {
    if (!context) context = make_test_client_context();
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    return context;
}

struct Outcome {
    std::optional<Result<TlsAcceptance>> value;
    std::string why;
};

Task<void> accept(
    Lane* lane,
    std::unique_ptr<Stream> stream,
    std::shared_ptr<ssl_ctx_st> context,
    Duration patience,
    Outcome* into) {
    const auto until = lane->clock().monotonic() + patience;
    auto accepted =
        co_await accept_tls(*lane, std::move(stream), std::move(context), until, &into->why);
    into->value.emplace(std::move(accepted));
}

// A server's handshake with a client in memory.
struct Fixture {
    TestLane test;
    MemoryPeer peer;
    Outcome outcome;

    void start(std::shared_ptr<ssl_ctx_st> context = kServer) {
        test.lane.spawn(
            "accept", accept(&test.lane, peer.stream(), std::move(context), 30s, &outcome));
        test.poll();
    }

    Stream& shake(TlsClient& client) {
        start();
        client.run(test);
        REQUIRE(outcome.value.has_value());
        REQUIRE(outcome.value->has_value());
        return stream();
    }

    Stream& stream() { return *(*outcome.value)->stream; }

    TlsFacts& facts() { return (*outcome.value)->facts; }

    [[nodiscard]] ErrorCode error() const {
        return outcome.value && !*outcome.value ? outcome.value->error() : ErrorCode();
    }
};

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
    Fixture fixture;
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
    Fixture fixture;
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
    Fixture fixture;
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
    Fixture fixture;
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

TEST_CASE("an end that was said differs from one that just came", "[net][tls]") {
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    Fixture fixture;
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
    Fixture fixture;
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
    Fixture fixture;
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
TEST_CASE("a renegotiation is refused and the session goes on", "[net][tls][attack]") {
    Fixture fixture;
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
    Fixture fixture;
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
    Fixture fixture;
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

// ---- handshakes that fail

TEST_CASE("a handshake that cannot be is an error with a reason", "[net][tls]") {
    struct Case {
        std::string name;
        std::string octets;
        std::string why;
    };

    const auto one = GENERATE(values<Case>({
        {"a command", "EHLO client.example\r\n", "wrong version number"},
        {"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http request"},
        {"zeros", std::string(100, '\0'), "wrong version number"},
        {"a record of too many octets", std::string("\x16\x03\x01\xff\xff", 5), ""},
        {"an SSL 2 greeting", std::string("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", 11), ""},
    }));
    CAPTURE(one.name);
    Fixture fixture;
    fixture.start();

    fixture.peer.send(one.octets);
    fixture.test.poll();
    fixture.peer.end();
    fixture.test.poll();

    CHECK(fixture.error() == Error::tls_failed);
    CHECK_FALSE(fixture.outcome.why.empty());
    if (!one.why.empty()) CHECK(fixture.outcome.why == one.why);
    CHECK(fixture.peer.is_closed());
}

TEST_CASE("a client without a common version is told so", "[net][tls]") {
    Fixture fixture;
    auto context = client_of(TLS1_1_VERSION);
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
    TlsClient client(fixture.peer, context);
    fixture.start();

    client.run(fixture.test);

    CHECK(fixture.error() == Error::tls_failed);
    CHECK(fixture.outcome.why == "unsupported protocol");
    CHECK(client.failure() == "tlsv1 alert protocol version");
}

TEST_CASE("a handshake ends with its peer, its deadline or its lane", "[net][tls]") {
    Fixture fixture;
    TlsClient client(fixture.peer);
    fixture.start();
    SSL_do_handshake(client.ssl());

    SECTION("half a greeting and then nothing") {
        std::array<char, 1000> octets{};
        const int size =
            BIO_read(SSL_get_wbio(client.ssl()), octets.data(), static_cast<int>(octets.size()));
        fixture.peer.send({octets.data(), static_cast<std::size_t>(size) / 2});
        fixture.test.advance(29s);
        CHECK_FALSE(fixture.outcome.value.has_value());
        fixture.test.advance(2s);
        CHECK(fixture.error() == Error::timed_out);
        CHECK(fixture.outcome.why == "no TLS handshake in time");
    }
    SECTION("one octet at a time moves no deadline") {
        std::array<char, 1000> octets{};
        const int size =
            BIO_read(SSL_get_wbio(client.ssl()), octets.data(), static_cast<int>(octets.size()));
        for (int i = 0; i < 40 && i < size; ++i) {
            fixture.peer.send({&octets.at(static_cast<std::size_t>(i)), 1});
            fixture.test.advance(1s);
        }
        CHECK(fixture.error() == Error::timed_out);
    }
    SECTION("the peer goes") {
        client.push();
        fixture.test.poll();
        fixture.peer.end();
        fixture.test.poll();
        CHECK(fixture.error() == Error::tls_failed);
        CHECK(fixture.outcome.why == "the peer closed the connection");
    }
    SECTION("the connection breaks") {
        fixture.peer.break_off();
        fixture.test.poll();
        CHECK(fixture.error() == Error::tls_failed);
    }
    SECTION("the lane stops") {
        fixture.test.lane.stop();
        fixture.test.poll();
        CHECK(fixture.error() == Error::timed_out);
    }
    CHECK(fixture.peer.is_closed());
}

// ---- facts

TEST_CASE("what a handshake came to is known", "[net][tls]") {
    Fixture fixture;
    auto context = client_of(TLS1_3_VERSION);
    SSL_CTX_set1_groups_list(context.get(), "P-256");
    TlsClient client(fixture.peer, context, "mail.contoso.com");
    fixture.shake(client);
    std::array<unsigned char, 32> binding{};
    // RFC 9266 §2.
    const std::string_view label = "EXPORTER-Channel-Binding";
    SSL_export_keying_material(
        client.ssl(), binding.data(), binding.size(), label.data(), label.size(), nullptr, 0, 1);

    const auto& facts = fixture.facts();

    CHECK(facts.version == "TLSv1.3");
    CHECK(facts.cipher == "TLS_AES_256_GCM_SHA384");
    CHECK(facts.group == "P-256");
    CHECK(facts.text() == "TLSv1.3 TLS_AES_256_GCM_SHA384 P-256");
    CHECK(facts.server_name == "mail.contoso.com");
    CHECK_FALSE(facts.resumed);
    CHECK(facts.peer_subject.empty());
    CHECK_FALSE(facts.peer_verified);
    CHECK(
        facts.channel_binding ==
        std::string(reinterpret_cast<const char*>(binding.data()), binding.size()));
}

TEST_CASE("TLS 1.2 has a group and no channel binding", "[net][tls]") {
    Fixture fixture;
    TlsClient client(fixture.peer, client_of(TLS1_2_VERSION));

    fixture.shake(client);

    CHECK(fixture.facts().version == "TLSv1.2");
    CHECK(fixture.facts().group == "X25519");
    CHECK(fixture.facts().server_name.empty());
    CHECK(fixture.facts().channel_binding.empty());
}

TEST_CASE("the certificate of a client is read, not trusted", "[net][tls]") {
    const auto certificate = make_test_certificate(
        {"Alice \xc3\x84rzt",
         "email:alice@contoso.com,otherName:msUPN;UTF8:alice@corp.contoso.com,DNS:x.example,"
         "otherName:1.3.6.1.5.5.7.8.9;UTF8:a.smith@contoso.com,email:a\x01@contoso.com"});
    auto context = client_of(TLS1_3_VERSION);
    SSL_CTX_use_cert_and_key(
        context.get(), certificate.certificate.get(), certificate.key.get(), nullptr, 1);
    auto server = make_test_server_context();
    SSL_CTX_set_verify(server.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    const bool trusted = GENERATE(false, true);
    if (trusted) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(server.get()), certificate.certificate.get());
    }
    Fixture fixture;
    TlsClient client(fixture.peer, context);
    fixture.start(server);

    client.run(fixture.test);

    REQUIRE(fixture.outcome.value->has_value());
    CHECK(fixture.facts().peer_subject == "CN=Alice \xc3\x84rzt");
    CHECK(fixture.facts().peer_verified == trusted);
    CHECK(
        fixture.facts().peer_emails ==
        std::vector<std::string>{
            "alice@contoso.com", "alice@corp.contoso.com", "a.smith@contoso.com"});
}

// ---- a connection that becomes encrypted

namespace {

struct StartTls {
    std::optional<Result<TlsFacts>> facts;
    std::string why;
    std::vector<std::string> lines;
    std::string end;
};

Task<void> encrypt_and_read(Connection* connection, StartTls* into) {
    const auto until = connection->lane().clock().monotonic() + 30s;
    auto facts = co_await connection->start_tls(kServer, until, &into->why);
    const bool is_encrypted = facts.has_value();
    into->facts.emplace(std::move(facts));
    while (is_encrypted) {
        const auto line = co_await connection->read_line(100);
        if (!line) {
            into->end = line.error().message();
            co_return;
        }
        into->lines.emplace_back(*line);
        const auto error = co_await connection->write("250 OK\r\n");
        if (error) {
            co_return;
        }
    }
}

struct ConnectionFixture {
    TestLane test;
    MemoryPeer peer;
    Connection connection{test.lane, peer.stream()};
    TlsClient client{peer};
    StartTls result;

    void start() {
        test.lane.spawn("session", encrypt_and_read(&connection, &result));
        test.poll();
    }
};

}  // namespace

TEST_CASE("a connection goes on encrypted", "[net][tls][connection]") {
    ConnectionFixture fixture;
    fixture.start();
    fixture.client.run(fixture.test);
    REQUIRE(fixture.result.facts.has_value());
    REQUIRE(fixture.result.facts->has_value());

    fixture.client.write("EHLO a\r\nNOOP\r\nhalf");
    fixture.test.poll();
    fixture.client.write(" a line\r\n");
    fixture.test.poll();

    CHECK(fixture.result.lines == std::vector<std::string>{"EHLO a", "NOOP", "half a line"});
    CHECK(fixture.client.read() == "250 OK\r\n250 OK\r\n250 OK\r\n");
    fixture.connection.close_with("421 4.3.2 Bye\r\n");
    fixture.test.poll();
    CHECK(fixture.client.read() == "421 4.3.2 Bye\r\n");
    CHECK(fixture.client.has_ended());
    CHECK(fixture.peer.is_closed());
    CHECK(fixture.result.end == make_error_code(Error::cancelled).message());
}

TEST_CASE("a connection ends in the middle of a handshake", "[net][tls][connection]") {
    ConnectionFixture fixture;
    fixture.start();
    SSL_do_handshake(fixture.client.ssl());
    fixture.client.push();
    fixture.test.poll();
    REQUIRE_FALSE(fixture.result.facts.has_value());
    REQUIRE_FALSE(fixture.peer.received().empty());
    auto expected = make_error_code(Error::cancelled);

    SECTION("when it is closed") {
        fixture.connection.close();
    }
    SECTION("when it is closed with words, which cannot be said") {
        fixture.connection.close_with("421 4.3.2 Bye\r\n");
    }
    SECTION("when the handshake's deadline passes") {
        fixture.test.advance(31s);
        CHECK(fixture.connection.is_expired());
        expected = Error::timed_out;
    }
    SECTION("when a deadline of the connection passes") {
        fixture.connection.set_last_words("451 4.4.2 Timeout\r\n");
        fixture.connection.expires_after(10s);
        fixture.test.advance(11s);
        expected = Error::timed_out;
    }
    fixture.test.poll();

    REQUIRE(fixture.result.facts.has_value());
    CHECK(fixture.result.facts->error() == expected);
    CHECK_FALSE(fixture.result.why.empty());
    CHECK(fixture.peer.received().empty());
    CHECK(fixture.peer.is_closed());
}

// Attack case 4: what came in plain text is never taken for what came encrypted.
TEST_CASE("a connection with octets in plain text cannot be encrypted", "[net][tls][attack]") {
    ConnectionFixture fixture;
    fixture.peer.send("STARTTLS\r\nMAIL FROM:<evil@example.com>\r\n");
    REQUIRE(fixture.test.run(fixture.connection.read_line(100)).has_value());

    std::string why;
    const auto until = fixture.test.clock.monotonic() + 30s;

    CHECK_THROWS_AS(
        fixture.test.run(fixture.connection.start_tls(kServer, until, &why)), std::logic_error);
}

TEST_CASE("a connection that ends encrypted says so and hears the rest", "[net][tls][connection]") {
    ConnectionFixture fixture;
    fixture.start();
    fixture.client.run(fixture.test);
    fixture.client.send_close_notify();
    fixture.test.poll();
    REQUIRE(fixture.result.end == make_error_code(Error::end_of_stream).message());

    fixture.test.run(fixture.connection.finish(2s));

    fixture.client.read();
    CHECK(fixture.client.has_ended());
    CHECK(fixture.peer.is_closed());
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
    Outcome server;
    test.lane.spawn(
        "accept",
        accept(&test.lane, test.run(acceptor->accept(test.lane)).value(), kServer, 30s, &server));
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
