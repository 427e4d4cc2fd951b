// What an encrypted session that waits for a command costs: all the memory OpenSSL and we hold.
#include "tests/support/run_task.hpp"
#include "tests/support/tls_client.hpp"
#include "tests/transport/net/answer_lines.hpp"
#include "transport/net/connection.hpp"

#include <catch2/catch.hpp>

#include <iostream>
#include <malloc.h>
#include <vector>

using namespace mailflow;
using namespace std::chrono_literals;

namespace {

Task<void> answer_encrypted(
    Lane* lane, std::unique_ptr<Stream> stream, std::shared_ptr<ssl_ctx_st> context) {
    Connection connection(*lane, std::move(stream));
    std::string why;
    const auto until = lane->clock().monotonic() + 30s;
    const auto facts = co_await connection.start_tls(std::move(context), until, &why);
    if (!facts) {
        co_return;
    }
    co_await answer_lines(&connection);
}

// In use, by malloc's own book-keeping: OpenSSL's allocations do not pass our operator new.
std::size_t octets_in_use() {
    return ::mallinfo2().uordblks;
}

}  // namespace

TEST_CASE("an encrypted session that waits for a line holds little", "[net][tls][cost]") {
    constexpr std::size_t kSessions = 32;
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    TestLane test;
    const auto context = make_test_server_context();
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 1);
    auto client_context = make_test_client_context();
    SSL_CTX_set_max_proto_version(client_context.get(), version);
    std::vector<std::unique_ptr<MemoryPeer>> peers(kSessions + 1);
    std::size_t server_side = 0;
    for (std::size_t i = 0; i <= kSessions; ++i) {
        // The client goes before the second look.
        const auto before = octets_in_use();
        peers[i] = std::make_unique<MemoryPeer>();
        auto client = std::make_unique<TlsClient>(*peers[i], client_context);
        test.lane.spawn("session", answer_encrypted(&test.lane, peers[i]->stream(), context));
        client->run(test);
        client->write("NOOP\r\n");
        test.poll();
        REQUIRE(client->read() == "250 2.0.0 OK\r\n");
        client.reset();
        // The first one pays for what OpenSSL sets up once.
        if (i > 0) server_side += octets_in_use() - before;
    }

    const auto each = server_side / kSessions;
    std::cout << "idle encrypted session (" << (version == TLS1_3_VERSION ? "1.3" : "1.2")
              << "): " << each << " octets\n";
    CHECK(each <= 18 * 1024);

    for (auto& peer : peers)
        peer->end();
    test.poll();
}
