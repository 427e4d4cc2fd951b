// A server's handshake with a client in memory, for the tests of TLS.
#pragma once

#include "tests/support/tls_client.hpp"
#include "transport/base/error.hpp"
#include "transport/net/tls_stream.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace mailflow {

inline const auto kServer = make_test_server_context();

inline std::shared_ptr<ssl_ctx_st> client_of(
    int version, std::shared_ptr<ssl_ctx_st> context = {}) {
    if (!context) context = make_test_client_context();
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
    return context;
}

struct TlsOutcome {
    std::optional<Result<TlsAcceptance>> value;
    std::string why;
};

inline Task<void> accept_into(
    Lane* lane,
    std::unique_ptr<Stream> stream,
    std::shared_ptr<ssl_ctx_st> context,
    Duration patience,
    TlsOutcome* into) {
    const auto until = lane->clock().monotonic() + patience;
    auto accepted =
        co_await accept_tls(*lane, std::move(stream), std::move(context), until, &into->why);
    into->value.emplace(std::move(accepted));
}

// A server's handshake with a client in memory.
struct TlsFixture {
    TestLane test;
    MemoryPeer peer;
    TlsOutcome outcome;

    void start(std::shared_ptr<ssl_ctx_st> context = kServer) {
        test.lane.spawn(
            "accept",
            accept_into(
                &test.lane, peer.stream(), std::move(context), std::chrono::seconds(30), &outcome));
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

}  // namespace mailflow
