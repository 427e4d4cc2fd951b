#include "server/admin/tls_resource.hpp"

#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_log.hpp"
#include "tests/support/memory_peers.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

using namespace std::chrono_literals;

namespace {

struct TlsFixture {
    HttpResponse ask(HttpMethod method, std::vector<std::string> path) {
        HttpRequest request;
        request.method = method;
        request.path = std::move(path);
        return resource.handle(request);
    }

    HttpResponse get(const std::string& what) { return ask(HttpMethod::get, {"v1", "tls", what}); }

    ManualClock clock;
    MemoryPeers peers;
    MemoryLog log;
    TlsResource resource{&peers, clock, Log(log)};
};

}  // namespace

TEST_CASE("what is remembered about TLS is shown", "[admin][tls]") {
    TlsFixture f;
    const auto now = f.clock.now();
    f.peers.keep_peer({"mail.contoso.com", "handshake", now, now + 1h, 3});
    f.peers.keep_policy(
        {"contoso.com", "7", StsMode::enforce, {"*.contoso.com"}, now - 1h, now - 1s});
    f.peers.count(
        {"contoso.com", TlsPolicyType::sts, "", TlsResultType::sts_policy_invalid, "why"}, now);

    const auto peers = f.get("peers").body;
    const auto policies = f.get("policies").body;
    const auto results = f.get("results").body;

    CHECK(peers.find(R"("host":"mail.contoso.com","state":"in clear")") != std::string::npos);
    CHECK(peers.find(R"("failures":3)") != std::string::npos);
    CHECK(policies.find(R"("mode":"enforce","state":"expired")") != std::string::npos);
    CHECK(policies.find(R"("mx":["*.contoso.com"])") != std::string::npos);
    CHECK(results.find(R"("result":"sts-policy-invalid","sessions":1)") != std::string::npos);
}

TEST_CASE("a name is forgotten once, and that is logged", "[admin][tls]") {
    TlsFixture f;
    const auto now = f.clock.now();
    f.peers.keep_peer({"mail.contoso.com", "handshake", now, now + 1h, 3});
    const std::vector<std::string> path = {"v1", "tls", "names", "Mail.contoso.com"};

    CHECK(f.ask(HttpMethod::remove, path).status == 200);

    CHECK(f.peers.peers().empty());
    CHECK(f.log.count("forgot") == 1);
    CHECK(f.ask(HttpMethod::remove, path).status == 404);
}

TEST_CASE("what cannot be asked about TLS is refused", "[admin][tls]") {
    TlsFixture f;

    CHECK(f.get("").status == 404);
    CHECK(f.get("everything").status == 404);
    CHECK(f.ask(HttpMethod::remove, {"v1", "tls", "peers"}).status == 405);
    CHECK(f.get("names").status == 405);
    TlsResource without(nullptr, f.clock, Log());
    HttpRequest request;
    request.method = HttpMethod::get;
    request.path = {"v1", "tls", "peers"};
    CHECK(without.handle(request).status == 409);
}

}  // namespace mailflow
