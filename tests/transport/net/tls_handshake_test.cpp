#include "tests/transport/net/tls_fixture.hpp"
#include "transport/net/connection.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <string>
#include <vector>

using namespace mailflow;
using namespace std::chrono_literals;

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
    TlsFixture fixture;
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
    TlsFixture fixture;
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

TEST_CASE("attack case 7: a handshake ends with its peer, its deadline or its lane", "[net][tls]") {
    TlsFixture fixture;
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
    TlsFixture fixture;
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

TEST_CASE("a server name that would spoil a log is none", "[net][tls][attack]") {
    const auto name = GENERATE(
        as<std::string>{},
        "mail.example\r\nINJECTED",
        "mail example",
        "m\xc3\xa4il.example",
        "\x1b[2J");
    TlsFixture fixture;
    TlsClient client(fixture.peer, make_test_client_context(), name);

    fixture.shake(client);

    CHECK(fixture.facts().server_name.empty());
}

TEST_CASE("TLS 1.2 has a group and no channel binding", "[net][tls]") {
    TlsFixture fixture;
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
    TlsFixture fixture;
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
TEST_CASE(
    "attack case 4: a connection with octets in plain text cannot be encrypted",
    "[net][tls][attack]") {
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
