#include "server/http/lane_https_fetcher.hpp"

#include "tests/support/fake_resolver.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/test_certificates.hpp"
#include "transport/base/error.hpp"
#include "transport/net/connection.hpp"

#include <catch2/catch.hpp>
#include <openssl/ssl.h>

#include <optional>
#include <string>
#include <utility>

namespace mailflow {

using namespace std::chrono_literals;

namespace {

const TestCertificate& authority() {
    static const auto kMade = [] {
        TestCertificateWish wish;
        wish.common_name = "Test CA";
        wish.alternative_names.clear();
        wish.is_authority = true;
        return make_test_certificate(wish);
    }();
    return kMade;
}

class TrustingContexts final : public TlsContexts {
  public:
    TrustingContexts() {
        auto* const store = X509_STORE_new();
        X509_STORE_add_cert(store, authority().certificate.get());
        SSL_CTX_set_cert_store(context_.get(), store);
    }

    [[nodiscard]] TlsContextPtr server_context(const ReceiveConnector&) const override {
        return nullptr;
    }

    [[nodiscard]] TlsContextPtr client_context(const SendConnector*) const override {
        return context_;
    }

  private:
    TlsContextPtr context_ = make_test_client_context();
};

// One connection: reads a request up to its empty line and body, writes `answer`.
struct Server {
    std::shared_ptr<ssl_ctx_st> context;
    std::string answer;
    bool says_end = true;  // by TLS
    bool stays_silent = false;
    std::string seen;
};

Task<void> serve(Lane* lane, Acceptor* acceptor, Server* server) {
    auto plain = co_await acceptor->accept(*lane);
    if (!plain) {
        co_return;
    }
    const auto until = lane->clock().monotonic() + 20s;
    std::string why;
    auto accepted = co_await accept_tls(*lane, std::move(*plain), server->context, until, &why);
    if (!accepted) {
        server->seen = why;
        co_return;
    }
    Connection connection(*lane, std::move(accepted->stream));
    connection.set_deadline(until);
    while (server->seen.find("\r\n\r\n") == std::string::npos || server->stays_silent) {
        const auto octets = co_await connection.read_some();
        if (!octets) {
            co_return;
        }
        server->seen += *octets;
        connection.consume(octets->size());
    }
    co_await connection.write(server->answer);
    if (server->says_end) {
        connection.shutdown_send();
    }
    connection.close();
}

struct FetchFixture {
    FetchFixture() {
        wish.common_name = "mta-sts.contoso.com";
        wish.alternative_names = "DNS:mta-sts.contoso.com,IP:127.0.0.1";
        server.answer =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
        resolver.add_address("mta-sts.contoso.com", "127.0.0.1");
        rules.allowed.push_back(IpRange::parse("127.0.0.0/8").value());
    }

    Result<HttpsAnswer> fetch(HttpsRequest request = {}) {
        const auto certificate = make_test_certificate(wish, is_trusted ? &authority() : nullptr);
        server.context = make_test_server_context(certificate);
        auto acceptor = network.listen(lane, {IpAddress::v4(0x7f000001), 0}).value();
        const auto port = std::to_string(acceptor->local().port);
        request.url = "https://" + host + ":" + port + "/policy?x";
        LaneHttpsFetcher fetcher({lane, network, resolver}, rules);
        if (has_tls) {
            fetcher.set_tls_contexts(std::make_shared<TrustingContexts>());
        }
        lane.spawn("serve", serve(&lane, acceptor.get(), &server));
        auto answer = run_task(context, fetcher.fetch(std::move(request), &why));
        acceptor->close();
        while (lane.tasks().live() > 0) {
            if (context.stopped()) context.restart();
            context.run_one();
        }
        return answer;
    }

    asio::io_context context{1};
    SystemClock clock;
    SeededRandom random;
    Lane lane{{context, clock, random, Log(), 0, true}};
    SystemNetwork network;
    FakeResolver resolver;
    TargetRules rules;
    TestCertificateWish wish;
    bool is_trusted = true;
    bool has_tls = true;
    std::string host = "mta-sts.contoso.com";
    Server server;
    std::string why;
};

}  // namespace

TEST_CASE("a policy comes over TLS from the host that is meant", "[http][fetch]") {
    FetchFixture f;
    f.host = GENERATE(as<std::string>{}, "mta-sts.contoso.com", "127.0.0.1");

    const auto answer = f.fetch();

    CAPTURE(f.why);
    REQUIRE(answer.has_value());
    CHECK(answer->status == 200);
    CHECK(answer->content_type == "text/plain");
    CHECK(answer->body == "hello");
    CHECK(f.server.seen.starts_with("GET /policy?x HTTP/1.1\r\nHost: " + f.host + ":"));
    CHECK(f.server.seen.find("Connection: close\r\n") != std::string::npos);
}

TEST_CASE("a form is posted with its fields", "[http][fetch]") {
    FetchFixture f;
    HttpsRequest request;
    request.method = "POST";
    request.content_type = "application/x-www-form-urlencoded";
    request.body = "a=b";
    request.headers.emplace_back("Accept-Language", "en");

    const auto answer = f.fetch(request);

    REQUIRE(answer.has_value());
    CHECK(f.server.seen.starts_with("POST /policy?x HTTP/1.1\r\n"));
    CHECK(f.server.seen.find("Accept-Language: en\r\n") != std::string::npos);
    CHECK(f.server.seen.find("Content-Length: 3\r\n") != std::string::npos);
    CHECK(f.server.seen.ends_with("\r\n\r\na=b"));
}

TEST_CASE("a certificate that is not good is no answer", "[http][fetch]") {
    FetchFixture f;
    SECTION("of another name") {
        f.wish.alternative_names = "DNS:www.contoso.com,DNS:contoso.com";
    }
    SECTION("of no name but the subject's") {
        f.wish.alternative_names.clear();
    }
    SECTION("of another address") {
        f.host = "127.0.0.1";
        f.wish.alternative_names = "IP:127.0.0.2";
    }
    SECTION("expired") {
        f.wish.days_from = -10;
        f.wish.days_until = -1;
    }
    SECTION("not valid yet") {
        f.wish.days_from = 1;
    }
    SECTION("signed by nobody we trust") {
        f.is_trusted = false;
    }

    const auto answer = f.fetch();

    CHECK(answer.error() == Error::tls_failed);
    CHECK(f.why.starts_with("TLS with " + f.host + ": "));
    // Nothing was said to who could not prove itself.
    CHECK(f.server.seen.find("GET") == std::string::npos);
}

TEST_CASE("a redirect is an answer and is not followed", "[http][fetch]") {
    FetchFixture f;
    f.server.answer =
        "HTTP/1.1 302 Found\r\nLocation: https://mta-sts.contoso.com/\r\nContent-Length: "
        "0\r\n\r\n";

    const auto answer = f.fetch();

    REQUIRE(answer.has_value());
    CHECK(answer->status == 302);
}

TEST_CASE("an answer without a length ends where TLS says so", "[http][fetch]") {
    FetchFixture f;
    f.server.answer = "HTTP/1.0 200 OK\r\n\r\nhello";

    SECTION("said") {
        const auto answer = f.fetch();
        REQUIRE(answer.has_value());
        CHECK(answer->body == "hello");
    }
    SECTION("cut") {
        f.server.says_end = false;
        CHECK(f.fetch().error() == Error::truncated);
    }
}

TEST_CASE("a large or a slow answer is given up", "[http][fetch]") {
    FetchFixture f;
    HttpsRequest request;
    SECTION("large") {
        f.server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello you";
        request.max_body = 8;
        CHECK(f.fetch(request).error() == Error::too_large);
    }
    SECTION("slow") {
        f.server.stays_silent = true;
        request.timeout = 50ms;
        CHECK(f.fetch(request).error() == Error::timed_out);
    }
    SECTION("no HTTP") {
        f.server.answer = "220 mail.contoso.com ESMTP\r\n";
        CHECK(f.fetch(request).error() == Error::syntax);
    }
}

TEST_CASE("addresses of our own world are refused unless they are named", "[http][fetch]") {
    FetchFixture f;
    f.rules.allowed.clear();
    HttpsRequest request;

    SECTION("by a policy domain") {
        CHECK(f.fetch(request).error() == Error::refused_target);
        CHECK(f.server.seen.empty());
    }
    SECTION("by an administrator") {
        request.trusted_host = true;
        CHECK(f.fetch(request).has_value());
    }
}

TEST_CASE("without an address, TLS or a URL nothing is fetched", "[http][fetch]") {
    FetchFixture f;
    SECTION("no address") {
        f.resolver.remove("mta-sts.contoso.com");
        CHECK(f.fetch().error() == Error::not_found);
        CHECK(f.why.starts_with("mta-sts.contoso.com has no address"));
    }
    SECTION("no TLS") {
        f.has_tls = false;
        CHECK(f.fetch().error() == Error::tls_failed);
    }
    SECTION("no URL") {
        f.host = "user@contoso.com";
        CHECK(f.fetch().error() == Error::syntax);
    }
    SECTION("a field that would be two") {
        HttpsRequest request;
        request.headers.emplace_back("X", "a\r\nHost: b.com");
        CHECK(f.fetch(request).error() == Error::syntax);
    }
}

}  // namespace mailflow
