#include "certs/tls_context_set.hpp"

#include "tests/support/seeded_random.hpp"
#include "tests/support/tls_client.hpp"
#include "transport/base/error.hpp"
#include "transport/net/tls_stream.hpp"

#include <catch2/catch.hpp>
#include <openssl/rsa.h>

#include <chrono>
#include <optional>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

const UtcTime kNow = std::chrono::floor<Duration>(std::chrono::system_clock::now());
const auto kRoot = make_test_certificate({"root", "", KeyKind::ecdsa, -9, 365, true});

StoredCertificate stored(const std::string& name, const TestCertificate& certificate) {
    StoredCertificate one;
    one.name = name;
    one.services = static_cast<CertificateUses>(CertificateUse::smtp);
    one.chain = std::make_shared<const ParsedChain>(parse_chain(certificate.pem()).value());
    one.facts = facts_of(*one.chain->leaf);
    one.is_trusted = !one.facts.self_signed;
    one.key = certificate.key;
    return one;
}

StoredCertificate issued(
    const std::string& name, const std::string& names, KeyKind key = KeyKind::ecdsa) {
    return stored(name, make_test_certificate({name, names, key}, &kRoot));
}

const std::vector<StoredCertificate>& certificates() {
    static const std::vector<StoredCertificate> all{
        issued("node ecdsa", "DNS:mail.contoso.com"),
        issued("node rsa", "DNS:mail.contoso.com", KeyKind::rsa),
        issued("fabrikam", "DNS:mx.fabrikam.com"),
        issued("star", "DNS:*.fabrikam.com"),
    };
    return all;
}

// The Default Frontend, the Client Frontend.
ReceiveConnector anonymous() {
    ReceiveConnector connector;
    connector.name = "Default Frontend";
    connector.permission_groups = static_cast<std::uint8_t>(PermissionGroup::anonymous);
    return connector;
}

ReceiveConnector submission() {
    ReceiveConnector connector;
    connector.name = "Client Frontend";
    connector.permission_groups = static_cast<std::uint8_t>(PermissionGroup::authenticated);
    connector.auth_mechanisms = static_cast<std::uint8_t>(AuthMechanism::plain);
    return connector;
}

ReceiveConnector with_client_certificates(ClientCertificates wanted) {
    auto connector = submission();
    connector.client_certificates = wanted;
    return connector;
}

TrustStorePtr trust() {
    TrustStorePtr store(made(X509_STORE_new()), X509_STORE_free);
    X509_STORE_add_cert(store.get(), kRoot.certificate.get());
    return store;
}

struct Made {
    std::vector<std::string> problems;
    std::unique_ptr<TlsContextSet> set;
};

TicketKeysPtr keys() {
    SeededRandom random(7);
    return TicketKeys::make(random, kNow, nullptr);
}

Made make(
    const std::vector<ReceiveConnector>& connectors,
    const std::vector<StoredCertificate>& all = certificates(),
    const TicketKeysPtr& tickets = keys()) {
    Made result;
    result.set = std::make_unique<TlsContextSet>(
        TlsContextSet::Parts{all, connectors, "mail.contoso.com", kNow, tickets, trust()},
        result.problems);
    return result;
}

// One handshake of a client in memory with a context.
class Visit {
  public:
    explicit Visit(
        TlsContextPtr server,
        const std::string& server_name = {},
        std::shared_ptr<ssl_ctx_st> client = make_test_client_context(),
        SSL_SESSION* session = nullptr)
        : client_(peer_, std::move(client), server_name) {
        if (session != nullptr) SSL_set_session(client_.ssl(), session);
        test_.lane.spawn("accept", accept(&test_.lane, peer_.stream(), std::move(server), this));
        client_.run(test_);
        client_.read();
    }

    // The common name of the certificate the server showed.
    std::string shown() {
        auto* const certificate = SSL_get0_peer_certificate(client_.ssl());
        return certificate == nullptr ? "" : facts_of(*certificate).subject;
    }

    [[nodiscard]] bool is_accepted() const { return accepted_ && accepted_->has_value(); }

    [[nodiscard]] const TlsFacts& facts() const {
        REQUIRE(is_accepted());
        return (*accepted_)->facts;
    }

    TlsClient& client() { return client_; }

    Stream& stream() { return *(*accepted_)->stream; }

    TestLane& test() { return test_; }

    [[nodiscard]] const std::string& why() const { return why_; }

    // To come again with.
    std::shared_ptr<SSL_SESSION> session() {
        return {SSL_get1_session(client_.ssl()), SSL_SESSION_free};
    }

  private:
    static Task<void> accept(
        Lane* lane, std::unique_ptr<Stream> stream, TlsContextPtr context, Visit* into) {
        const auto until = lane->clock().monotonic() + 30s;
        auto accepted =
            co_await accept_tls(*lane, std::move(stream), std::move(context), until, &into->why_);
        into->accepted_.emplace(std::move(accepted));
    }

    TestLane test_;
    MemoryPeer peer_;
    TlsClient client_;
    std::optional<Result<TlsAcceptance>> accepted_;
    std::string why_;
};

std::shared_ptr<ssl_ctx_st> client_with(void (*change)(SSL_CTX*)) {
    auto context = make_test_client_context();
    change(context.get());
    return context;
}

std::shared_ptr<ssl_ctx_st> client_showing(const TestCertificate& certificate, int version = 0) {
    auto context = make_test_client_context();
    SSL_CTX_use_cert_and_key(
        context.get(), certificate.certificate.get(), certificate.key.get(), nullptr, 1);
    SSL_CTX_set_max_proto_version(context.get(), version);
    return context;
}

}  // namespace

TEST_CASE("the client's name chooses the certificate", "[certs][tls]") {
    const auto connector = anonymous();
    const auto context = make({connector}).set->server_context(connector);
    const auto shown = [&](const std::string& name) {
        return Visit(context, name).shown();
    };

    CHECK(shown("") == "CN=node ecdsa");
    CHECK(shown("mail.contoso.com") == "CN=node ecdsa");
    CHECK(shown("MX.fabrikam.com") == "CN=fabrikam");
    CHECK(shown("other.fabrikam.com") == "CN=star");
    CHECK(shown("a.other.fabrikam.com") == "CN=node ecdsa");
    CHECK(shown("fabrikam.com") == "CN=node ecdsa");
    CHECK(shown("unknown.example") == "CN=node ecdsa");
    CHECK(Visit(context, "mx.fabrikam.com").facts().server_name == "mx.fabrikam.com");
}

TEST_CASE("a connector's name or its pinned certificate goes before the node's", "[certs][tls]") {
    auto named = anonymous();
    named.fqdn = "mx.fabrikam.com";
    auto pinned = anonymous();
    pinned.certificate = "STAR";
    const auto made_now = make({named, pinned});
    const auto& set = *made_now.set;

    CHECK(Visit(set.server_context(named)).shown() == "CN=fabrikam");
    CHECK(Visit(set.server_context(named), "mail.contoso.com").shown() == "CN=node ecdsa");
    CHECK(Visit(set.server_context(pinned)).shown() == "CN=star");
    CHECK(Visit(set.server_context(pinned), "mail.contoso.com").shown() == "CN=star");
}

TEST_CASE("of an ECDSA and an RSA certificate the client gets what it can verify", "[certs][tls]") {
    const auto connector = anonymous();
    const auto context = make({connector}).set->server_context(connector);
    const auto only_rsa = client_with(
        [](SSL_CTX* client) { SSL_CTX_set1_sigalgs_list(client, "RSA-PSS+SHA256:RSA+SHA256"); });
    const auto old_rsa = client_with([](SSL_CTX* client) {
        SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
        SSL_CTX_set_cipher_list(client, "ECDHE-RSA-AES256-GCM-SHA384");
    });

    CHECK(Visit(context).shown() == "CN=node ecdsa");
    CHECK(Visit(context, "", only_rsa).shown() == "CN=node rsa");
    CHECK(Visit(context, "mail.contoso.com", old_rsa).shown() == "CN=node rsa");
}

TEST_CASE(
    "connectors of one kind share a context; without a certificate there is none", "[certs][tls]") {
    auto other = anonymous();
    other.name = "Other";
    auto plain = anonymous();
    plain.tls = TlsMode::none;
    plain.fqdn = "plain.example";
    auto missing = anonymous();
    missing.certificate = "gone";
    const auto made_now = make({anonymous(), other, submission(), plain, missing});
    const auto& set = *made_now.set;

    CHECK(set.server_context(anonymous()) == set.server_context(other));
    CHECK(set.server_context(anonymous()) != set.server_context(submission()));
    CHECK(set.server_context(plain) == nullptr);
    CHECK(set.server_context(missing) == nullptr);
    CHECK(make({anonymous()}, {}).set->server_context(anonymous()) == nullptr);
    CHECK(made_now.problems.empty());
}

TEST_CASE("a certificate OpenSSL refuses is left out by name", "[certs][tls]") {
    auto weak = make_test_certificate({"weak", "DNS:mail.contoso.com"});
    weak.key = own_key(EVP_RSA_gen(1024));
    X509_set_pubkey(weak.certificate.get(), weak.key.get());
    X509_sign(weak.certificate.get(), weak.key.get(), EVP_sha256());

    const auto alone = make({anonymous(), submission()}, {stored("Weak", weak)});
    const auto beside =
        make({anonymous()}, {stored("Weak", weak), issued("good", "DNS:x.example")});

    CHECK(alone.set->server_context(anonymous()) == nullptr);
    CHECK(
        alone.problems ==
        std::vector<std::string>{"certificate \"Weak\" cannot be used: ee key too small"});
    CHECK(beside.problems.size() == 1);
}

// Attack case 9; decisions 2.12.
TEST_CASE("attack case 9: who speaks another protocol is turned away", "[certs][tls][attack]") {
    const auto connector = anonymous();
    const auto context = make({connector}).set->server_context(connector);
    const auto visit = [&](std::string_view offered) {
        auto client = make_test_client_context();
        SSL_CTX_set_alpn_protos(
            client.get(),
            reinterpret_cast<const unsigned char*>(offered.data()),
            static_cast<unsigned>(offered.size()));
        auto name = GENERATE(as<std::string>{}, "", "mx.fabrikam.com");
        return std::make_unique<Visit>(context, name, client);
    };
    const auto chosen = [](Visit& one) {
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(one.client().ssl(), &name, &size);
        return std::string(reinterpret_cast<const char*>(name), size);
    };

    SECTION("smtp") {
        CHECK(chosen(*visit("\x04smtp")) == "smtp");
    }
    SECTION("esmtp") {
        CHECK(
            chosen(*visit("\x05"
                          "esmtp")) == "esmtp");
    }
    SECTION("smtp among others") {
        CHECK(chosen(*visit("\x02h2\x04smtp")) == "smtp");
    }
    SECTION("none") {
        CHECK(chosen(*visit("")).empty());
    }
    SECTION("others only") {
        const auto offered = GENERATE(
            as<std::string>{},
            "\x02h2",
            "\x08http/1.1",
            "\x02h2\x08http/1.1",
            "\x05smtpx",
            "\x03smt");
        const auto one = visit(offered);
        CHECK_FALSE(one->is_accepted());
        CHECK(one->client().failure() == "tlsv1 alert no application protocol");
    }
}

// Attack case 8; RFC 9325 §3.1, §4.2.
TEST_CASE("attack case 8: old versions and weak ciphers find nobody", "[certs][tls][attack]") {
    const auto connector = anonymous();
    const auto context = make({connector}).set->server_context(connector);
    const auto is_accepted = [&](int version, const char* ciphers) {
        auto client = make_test_client_context();
        SSL_CTX_set_security_level(client.get(), 0);
        SSL_CTX_set_min_proto_version(client.get(), TLS1_VERSION);
        SSL_CTX_set_max_proto_version(client.get(), version);
        REQUIRE(SSL_CTX_set_cipher_list(client.get(), ciphers) == 1);
        return Visit(context, "", client).is_accepted();
    };

    CHECK_FALSE(is_accepted(TLS1_VERSION, "ALL:@SECLEVEL=0"));
    CHECK_FALSE(is_accepted(TLS1_1_VERSION, "ALL:@SECLEVEL=0"));
    CHECK(is_accepted(TLS1_2_VERSION, "ALL:@SECLEVEL=0"));
    CHECK(is_accepted(TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"));
    CHECK_FALSE(is_accepted(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES256-SHA"));
    CHECK_FALSE(is_accepted(TLS1_2_VERSION, "AES128-GCM-SHA256:AES256-SHA"));
    CHECK_FALSE(is_accepted(TLS1_2_VERSION, "DHE-RSA-AES256-GCM-SHA384"));
    CHECK_FALSE(is_accepted(TLS1_2_VERSION, "aNULL:eNULL:@SECLEVEL=0"));
}

// OpenSSL's defaults and its security level refuse these too; we do not rely on them.
TEST_CASE(
    "attack case 8: old versions, compression and renegotiation are switched off",
    "[certs][tls][attack]") {
    const auto connector = anonymous();
    const auto context = make({connector}).set->server_context(connector);
    const auto has = [&context](std::uint64_t option) {
        return (SSL_CTX_get_options(context.get()) & option) != 0;
    };

    CHECK(SSL_CTX_get_min_proto_version(context.get()) == TLS1_2_VERSION);
    CHECK(has(SSL_OP_NO_COMPRESSION));
    CHECK(has(SSL_OP_NO_RENEGOTIATION));
}

TEST_CASE("a client without AES in hardware gets ChaCha20", "[certs][tls]") {
    const auto connector = anonymous();
    const auto context = make({connector}).set->server_context(connector);
    const auto chacha_first = client_with([](SSL_CTX* client) {
        SSL_CTX_set_ciphersuites(client, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
    });

    CHECK(Visit(context).facts().cipher == "TLS_AES_128_GCM_SHA256");
    CHECK(Visit(context, "", chacha_first).facts().cipher == "TLS_CHACHA20_POLY1305_SHA256");
    CHECK(Visit(context).facts().group == "X25519");
}

TEST_CASE("attack case 8: renegotiation is refused", "[certs][tls][attack]") {
    const auto connector = anonymous();
    const auto context = make({connector}).set->server_context(connector);
    const auto old =
        client_with([](SSL_CTX* client) { SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION); });
    Visit visit(context, "", old);
    REQUIRE(visit.is_accepted());

    SSL_renegotiate(visit.client().ssl());
    SSL_do_handshake(visit.client().ssl());
    visit.client().push();
    char octet = 0;
    const auto heard = visit.stream().try_read({&octet, 1});
    visit.client().read();

    CHECK(heard.error() == Error::would_block);
    CHECK(visit.client().failure() == "no renegotiation");
}

// ---- tickets

TEST_CASE("tickets are given where people log in, not to anybody", "[certs][tls][tickets]") {
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    auto client = make_test_client_context();
    SSL_CTX_set_max_proto_version(client.get(), version);
    auto anonymous_login = anonymous();
    anonymous_login.auth_mechanisms = submission().auth_mechanisms;
    const auto made_now = make({anonymous(), submission(), anonymous_login});
    const auto comes_back = [&](const ReceiveConnector& connector) {
        const auto context = made_now.set->server_context(connector);
        Visit first(context, "mx.fabrikam.com", client);
        CHECK_FALSE(first.facts().resumed);
        const auto session = first.session();
        Visit second(context, "mx.fabrikam.com", client, session.get());
        CHECK(second.shown() == "CN=fabrikam");
        return second.facts().resumed;
    };

    CHECK(comes_back(submission()));
    CHECK(comes_back(anonymous_login));
    CHECK_FALSE(comes_back(anonymous()));
}

TEST_CASE("a ticket opens until its key has turned twice", "[certs][tls][tickets]") {
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    auto client = make_test_client_context();
    SSL_CTX_set_max_proto_version(client.get(), version);
    const auto connector = submission();
    SeededRandom random(3);
    const auto first_keys = TicketKeys::make(random, kNow, nullptr);
    const auto second_keys = TicketKeys::make(random, first_keys->due(), first_keys);
    const auto third_keys = TicketKeys::make(random, second_keys->due(), second_keys);
    const auto context_of = [&](const TicketKeysPtr& tickets) {
        // The set goes, its contexts stay.
        return make({connector}, certificates(), tickets).set->server_context(connector);
    };
    Visit visit(context_of(first_keys), "", client);
    const auto session = visit.session();

    Visit after_one(context_of(second_keys), "", client, session.get());
    Visit after_two(context_of(third_keys), "", client, session.get());

    CHECK(after_one.facts().resumed);
    CHECK_FALSE(after_two.facts().resumed);
    CHECK(after_two.is_accepted());
    // The one of the turn before came back with a new ticket.
    const auto renewed = after_one.session();
    CHECK(Visit(context_of(third_keys), "", client, renewed.get()).facts().resumed);
    CHECK(first_keys->due() == kNow + 8h);
}

TEST_CASE("a ticket that was changed is a stranger's", "[certs][tls][tickets]") {
    SeededRandom random(3);
    const auto connector = submission();
    const auto made_now = make({connector});
    const auto other = make({connector}, certificates(), TicketKeys::make(random, kNow, nullptr));
    Visit visit(other.set->server_context(connector));
    const auto session = visit.session();

    Visit again(
        made_now.set->server_context(connector), "", make_test_client_context(), session.get());

    CHECK(again.is_accepted());
    CHECK_FALSE(again.facts().resumed);
}

// ---- client certificates

TEST_CASE("client certificates are asked for as the connector says", "[certs][tls]") {
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    const auto ours = make_test_certificate({"alice", "email:alice@contoso.com"}, &kRoot);
    const auto foreign = make_test_certificate({"mallory", "email:alice@contoso.com"});
    const auto expired =
        make_test_certificate({"alice", "email:alice@contoso.com", KeyKind::ecdsa, -9, -1}, &kRoot);
    const auto none = client_with([](SSL_CTX*) {});
    SSL_CTX_set_max_proto_version(none.get(), version);
    const auto server_name = GENERATE(as<std::string>{}, "", "mx.fabrikam.com");
    const auto visit = [&](ClientCertificates wanted, const std::shared_ptr<ssl_ctx_st>& client) {
        const auto connector = with_client_certificates(wanted);
        return std::make_unique<Visit>(
            make({connector}).set->server_context(connector), server_name, client);
    };

    SECTION("none: not even looked at") {
        CHECK(visit(ClientCertificates::none, client_showing(ours, version))
                  ->facts()
                  .peer_subject.empty());
    }
    SECTION("request: taken, and judged, and no reason to fail") {
        const auto good = visit(ClientCertificates::request, client_showing(ours, version));
        CHECK(good->facts().peer_verified);
        CHECK(good->facts().peer_subject == "CN=alice");
        CHECK(good->facts().peer_emails == std::vector<std::string>{"alice@contoso.com"});
        const auto bad = visit(ClientCertificates::request, client_showing(foreign, version));
        CHECK_FALSE(bad->facts().peer_verified);
        CHECK(bad->facts().peer_subject == "CN=mallory");
        CHECK_FALSE(visit(ClientCertificates::request, client_showing(expired, version))
                        ->facts()
                        .peer_verified);
        CHECK(visit(ClientCertificates::request, none)->facts().peer_subject.empty());
    }
    SECTION("require: nobody comes in without a good one") {
        CHECK(visit(ClientCertificates::require, client_showing(ours, version))
                  ->facts()
                  .peer_verified);
        CHECK_FALSE(
            visit(ClientCertificates::require, client_showing(foreign, version))->is_accepted());
        CHECK_FALSE(
            visit(ClientCertificates::require, client_showing(expired, version))->is_accepted());
        const auto without = visit(ClientCertificates::require, none);
        CHECK_FALSE(without->is_accepted());
        CHECK(without->why() == "peer did not return a certificate");
    }
}

TEST_CASE(
    "a resumed session is who it was, and stays at its kind of connector",
    "[certs][tls][tickets]") {
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    const auto ours = make_test_certificate({"alice", "email:alice@contoso.com"}, &kRoot);
    const auto request = with_client_certificates(ClientCertificates::request);
    const auto require = with_client_certificates(ClientCertificates::require);
    const auto made_now = make({submission(), request, require});
    const auto client = client_showing(ours, version);
    const auto plain = client_with([](SSL_CTX*) {});
    SSL_CTX_set_max_proto_version(plain.get(), version);

    Visit known(made_now.set->server_context(request), "mx.fabrikam.com", client);
    const auto session = known.session();
    Visit again(made_now.set->server_context(request), "mx.fabrikam.com", client, session.get());
    Visit unknown(made_now.set->server_context(submission()), "mx.fabrikam.com", plain);
    const auto other = unknown.session();
    Visit elsewhere(made_now.set->server_context(require), "mx.fabrikam.com", plain, other.get());

    CHECK(again.facts().resumed);
    CHECK(again.facts().peer_verified);
    CHECK(again.facts().peer_emails == std::vector<std::string>{"alice@contoso.com"});
    CHECK_FALSE(elsewhere.is_accepted());
}

TEST_CASE("A send connector sends the certificate it names, and no other", "[certs][tls]") {
    const auto& all = certificates();
    SendConnector plain;
    SendConnector named;
    named.certificate = "NODE ecdsa";
    auto by_thumbprint = named;
    by_thumbprint.certificate = all.front().facts.thumbprint;
    SendConnector missing;
    missing.name = "Partner";
    missing.certificate = "gone";
    const std::vector<SendConnector> connectors{plain, named, by_thumbprint, missing};
    const std::vector<ReceiveConnector> none;
    std::vector<std::string> problems;

    const TlsContextSet set(
        {all, none, "mail.contoso.com", kNow, keys(), trust(), connectors}, problems);

    const auto sent = [&set](const SendConnector* connector) {
        return SSL_CTX_get0_certificate(set.client_context(connector).get());
    };
    CHECK(sent(nullptr) == nullptr);
    CHECK(sent(&plain) == nullptr);
    REQUIRE(sent(&named) != nullptr);
    CHECK(X509_cmp(sent(&named), all.front().chain->leaf.get()) == 0);
    CHECK(sent(&by_thumbprint) != nullptr);
    CHECK(sent(&missing) == nullptr);
    REQUIRE(problems.size() == 1);
    CHECK(problems.front().find("Partner") != std::string::npos);
    CHECK(set.client_context(&plain) == set.client_context(nullptr));
    CHECK(SSL_CTX_get_min_proto_version(set.client_context(&plain).get()) == TLS1_2_VERSION);
}
