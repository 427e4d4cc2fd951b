// What a client finds out about its server's certificate, against a server of OpenSSL in memory.
#include "tests/support/tls_client.hpp"
#include "transport/net/tls_stream.hpp"

#include <catch2/catch.hpp>
#include <openssl/evp.h>
#include <openssl/x509.h>

namespace mailflow {

namespace {

const auto kRoot = make_test_certificate({"Test Root", "", KeyKind::ecdsa, -1, 365, true});

TlsaMatch tlsa(std::uint8_t usage, std::uint8_t selector, const TestCertificate& certificate) {
    unsigned char* der = nullptr;
    const int size =
        selector == 0 ? i2d_X509(certificate.certificate.get(), &der)
                      : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.certificate.get()), &der);
    std::array<unsigned char, 32> digest{};
    EVP_Digest(der, static_cast<std::size_t>(size), digest.data(), nullptr, EVP_sha256(), nullptr);
    OPENSSL_free(der);
    return {usage, selector, 1, {reinterpret_cast<const char*>(digest.data()), digest.size()}};
}

// Trusts kRoot, and knows DANE.
std::shared_ptr<ssl_ctx_st> client_context() {
    auto context = make_test_client_context();
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), kRoot.certificate.get());
    SSL_CTX_dane_enable(context.get());
    return context;
}

Task<void> shake(TlsStream* stream, ErrorCode* into, std::string* why) {
    *into = co_await stream->shake_hands(why);
}

// One handshake of our client with a server that shows `certificate` and, behind it, `above`.
TlsFacts meet(
    const TestCertificate& certificate,
    const TlsExpectation& expectation,
    const TestCertificate* above = nullptr) {
    TestLane test;
    MemoryPeer peer;
    auto server_context = make_test_server_context(certificate);
    if (above != nullptr) SSL_CTX_add1_chain_cert(server_context.get(), above->certificate.get());
    TlsClient server(peer, server_context);
    SSL_set_accept_state(server.ssl());
    TlsStream stream(peer.stream(), client_context(), expectation);
    ErrorCode error = make_error_code(Error::would_block);
    std::string why;
    test.lane.spawn("handshake", shake(&stream, &error, &why));
    server.run(test);
    INFO(why);
    REQUIRE(!error);
    return stream.facts();
}

TlsExpectation expecting(std::vector<TlsaMatch> records) {
    return {"mail.contoso.com", std::move(records), {"mail.contoso.com", "contoso.com"}};
}

TestCertificate leaf(
    const TestCertificate* issuer,
    const std::string& names = "DNS:mail.contoso.com",
    int until = 365) {
    return make_test_certificate(
        {"mail.contoso.com", names, KeyKind::ecdsa, -10, until, false}, issuer);
}

}  // namespace

TEST_CASE("A client learns what its server's certificate holds", "[net][tls]") {
    const auto certificate =
        leaf(&kRoot, "DNS:Mail.Contoso.com,DNS:*.contoso.com,IP:192.0.2.1,email:a@contoso.com");

    const auto facts = meet(certificate, {"mail.contoso.com", {}, {}});

    CHECK(facts.peer_verified);
    CHECK(facts.problem == ChainProblem::none);
    CHECK(facts.peer_names == std::vector<std::string>{"mail.contoso.com", "*.contoso.com"});
    CHECK(facts.peer_addresses == std::vector<std::string>{"192.0.2.1"});
    CHECK(facts.peer_not_before < facts.peer_not_after);
    CHECK(facts.dane == DaneMatch::not_asked);
}

TEST_CASE("A client learns why a chain is worth nothing", "[net][tls]") {
    const auto unknown = meet(leaf(nullptr), {"mail.contoso.com", {}, {}});
    CHECK(!unknown.peer_verified);
    CHECK(unknown.problem == ChainProblem::untrusted);
    CHECK(!unknown.verify_error.empty());

    const auto expired =
        meet(leaf(&kRoot, "DNS:mail.contoso.com", -2), {"mail.contoso.com", {}, {}});
    CHECK(expired.problem == ChainProblem::dates);
}

TEST_CASE("Usage 3 wants the key, whatever names and dates say", "[net][tls][dane][rfc7672]") {
    const auto certificate = leaf(nullptr, "DNS:other.example", -2);
    const auto stranger = leaf(nullptr);

    CHECK(meet(certificate, expecting({tlsa(3, 1, certificate)})).dane == DaneMatch::matched);
    CHECK(meet(certificate, expecting({tlsa(3, 0, certificate)})).dane == DaneMatch::matched);
    const auto wrong = meet(certificate, expecting({tlsa(3, 1, stranger)}));
    CHECK(wrong.dane == DaneMatch::none);
    CHECK(!wrong.peer_verified);
}

TEST_CASE("In a rollover one record of two is enough", "[net][tls][dane][rfc7671]") {
    const auto certificate = leaf(nullptr);
    const auto next = leaf(nullptr);

    CHECK(
        meet(certificate, expecting({tlsa(3, 1, next), tlsa(3, 1, certificate)})).dane ==
        DaneMatch::matched);
}

TEST_CASE("Usage 2 wants the anchor, a name and the dates", "[net][tls][dane][rfc7672]") {
    const auto authority =
        make_test_certificate({"Private Root", "", KeyKind::ecdsa, -20, 365, true});
    const auto anchor = tlsa(2, 0, authority);
    const auto met = [&](const std::string& names, int until) {
        return meet(leaf(&authority, names, until), expecting({anchor}), &authority);
    };

    CHECK(met("DNS:mail.contoso.com", 365).dane == DaneMatch::matched);
    CHECK(met("DNS:contoso.com", 365).dane == DaneMatch::matched);
    const auto misnamed = met("DNS:other.example", 365);
    CHECK(misnamed.dane == DaneMatch::none);
    CHECK(misnamed.problem == ChainProblem::name);
    const auto expired = met("DNS:mail.contoso.com", -2);
    CHECK(expired.dane == DaneMatch::none);
    CHECK(expired.problem == ChainProblem::dates);
    // The trusted roots do not help: the records are all that counts.
    CHECK(meet(leaf(&kRoot), expecting({anchor}), &kRoot).dane == DaneMatch::none);
}

TEST_CASE("Records OpenSSL cannot use authenticate nobody", "[net][tls][dane][rfc7671]") {
    const auto certificate = leaf(nullptr);
    const TlsaMatch damaged{3, 0, 0, "no certificate"};

    CHECK(meet(certificate, expecting({damaged})).dane == DaneMatch::unusable);
    CHECK(
        meet(certificate, expecting({damaged, tlsa(3, 1, certificate)})).dane ==
        DaneMatch::matched);
}

TEST_CASE("A context that knows no DANE matches nothing", "[net][tls][dane]") {
    TestLane test;
    MemoryPeer peer;
    const auto certificate = leaf(nullptr);
    TlsClient server(peer, make_test_server_context(certificate));
    SSL_set_accept_state(server.ssl());
    TlsStream stream(
        peer.stream(), make_test_client_context(), expecting({tlsa(3, 1, certificate)}));
    ErrorCode error = make_error_code(Error::would_block);
    std::string why;

    test.lane.spawn("handshake", shake(&stream, &error, &why));
    server.run(test);

    CHECK(!error);
    CHECK(stream.facts().dane == DaneMatch::none);
}

}  // namespace mailflow
