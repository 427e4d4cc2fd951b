#include "storage/peer_database.hpp"

#include "storage/posix_files.hpp"
#include "tests/conformance/peer_memory_conformance.hpp"
#include "tests/support/memory_log.hpp"
#include "tests/support/memory_peers.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_directory.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <string>

namespace mailflow {

using namespace std::chrono_literals;

namespace {

struct PeerFixture {
    PeerFixture() { open(); }

    ~PeerFixture() {
        close();
        test.lane.stop();
        test.poll();
    }

    PeerFixture(const PeerFixture&) = delete;
    PeerFixture& operator=(const PeerFixture&) = delete;

    void open() {
        peers = std::make_unique<PeerDatabase>(
            PeerDatabaseSettings{path, ""},
            PeerDatabase::Parts{test.lane, runner, files, Log(log)});
    }

    void close() {
        if (peers) test.run(peers->close());
        peers.reset();
    }

    void start_again() {
        close();
        open();
    }

    // As if the process ended here.
    void crash_and_start_again() {
        peers.reset();
        open();
    }

    TempDirectory directory;
    std::string path = directory / "peers.db";
    TestLane test;
    FoldedRunner runner{test.context};
    PosixFiles files;
    MemoryLog log;
    std::unique_ptr<PeerDatabase> peers;
};

}  // namespace

TEST_CASE("peers in SQLite keep the port's promises", "[storage][conformance][peers]") {
    PeerFixture fixture;
    check_peer_memory(*fixture.peers);
}

TEST_CASE("peers in memory keep the port's promises", "[support][conformance][peers]") {
    MemoryPeers peers;
    check_peer_memory(peers);
}

TEST_CASE("what is known about peers outlives a restart", "[storage][peers]") {
    PeerFixture fixture;
    auto without_hosts = sts_policy_of("fabrikam.com", "9");
    without_hosts.mx.clear();
    fixture.peers->keep_policy(sts_policy_of("contoso.com", "1"));
    fixture.peers->keep_policy(without_hosts);
    fixture.peers->keep_policy(sts_policy_of("gone.com", "1"));
    fixture.peers->keep_peer(tls_peer_of("mail.contoso.com", 5));
    fixture.peers->count(tls_result_of("contoso.com", "mail.contoso.com"), peer_time(1));
    fixture.test.run(fixture.peers->flush());
    fixture.peers->forget_policy("gone.com");
    fixture.peers->count(tls_result_of("contoso.com", "mail.contoso.com"), peer_time(2));

    fixture.start_again();

    CHECK(fixture.peers->find_policy("contoso.com") == sts_policy_of("contoso.com", "1"));
    CHECK(fixture.peers->find_policy("fabrikam.com") == without_hosts);
    CHECK(fixture.peers->policies().size() == 2);
    CHECK(fixture.peers->find_peer("mail.contoso.com", peer_time(2)).has_value());
    const auto results = fixture.peers->results();
    REQUIRE(results.size() == 1);
    CHECK(results[0].sessions == 2);
    CHECK(results[0].result == tls_result_of("contoso.com", "mail.contoso.com"));
    CHECK(fixture.log.lines().empty());
}

TEST_CASE("a change is written a second later", "[storage][peers]") {
    PeerFixture fixture;
    fixture.peers->keep_policy(sts_policy_of("contoso.com", "1"));
    fixture.test.advance(1100ms);
    fixture.peers->keep_policy(sts_policy_of("fabrikam.com", "1"));

    fixture.crash_and_start_again();

    CHECK(fixture.peers->policies() == std::vector{sts_policy_of("contoso.com", "1")});
    fixture.test.advance(2s);
}

TEST_CASE("a file that is no database is set aside and mail goes on", "[storage][peers]") {
    const std::string octets = GENERATE(
        as<std::string>{},
        "no database at all, and long enough to be looked at as one" + std::string(4096, 'x'),
        std::string("SQLite format 3\0", 16) + std::string(8192, '\x7f'));
    PeerFixture fixture;
    fixture.close();
    std::ofstream(fixture.path, std::ios::binary) << octets;

    fixture.open();

    CHECK(fixture.log.count("its file is set aside") == 1);
    CHECK(std::filesystem::exists(fixture.path + ".broken"));
    fixture.peers->keep_policy(sts_policy_of("contoso.com", "1"));
    fixture.start_again();
    CHECK(fixture.peers->policies().size() == 1);
    CHECK(fixture.log.lines().size() == 1);
}

TEST_CASE("a row that makes no sense sets the file aside", "[storage][peers]") {
    PeerFixture fixture;
    fixture.peers->keep_policy(sts_policy_of("contoso.com", "1"));
    fixture.close();
    {
        SqliteConnection other({fixture.path, ""}, SqliteRole::writer);
        other.execute("UPDATE policy SET mode = 7");
    }

    fixture.open();

    CHECK(fixture.peers->policies().empty());
    CHECK(fixture.log.count("its file is set aside") == 1);
}

TEST_CASE("without a place for the file memory is enough", "[storage][peers]") {
    PeerFixture fixture;
    fixture.close();
    fixture.path = fixture.directory / "missing/peers.db";

    fixture.open();
    fixture.peers->keep_policy(sts_policy_of("contoso.com", "1"));
    fixture.test.advance(2s);

    CHECK(fixture.peers->find_policy("contoso.com").has_value());
    CHECK(fixture.log.count("is not stored") == 1);
}

TEST_CASE("policies and peers are bounded, the oldest go first", "[storage][peers]") {
    PeerTables tables;
    for (std::size_t i = 0; i <= kMaxStsPolicies; ++i) {
        auto policy = sts_policy_of("d" + std::to_string(i) + ".com", "1");
        policy.fetched = peer_time(0) + std::chrono::milliseconds(i);
        tables.keep_policy(policy);
        auto peer = tls_peer_of("h" + std::to_string(i), 5);
        peer.failed = policy.fetched;
        tables.keep_peer(peer);
    }

    const auto changes = tables.take_changes();

    CHECK(tables.policies().size() <= kMaxStsPolicies);
    CHECK(tables.policies().size() > kMaxStsPolicies * 9 / 10);
    CHECK_FALSE(tables.find_policy("d0.com"));
    CHECK(tables.find_policy("d" + std::to_string(kMaxStsPolicies) + ".com"));
    CHECK_FALSE(tables.find_peer("h0", peer_time(1)));
    CHECK(tables.find_peer("h" + std::to_string(kMaxStsPolicies), peer_time(1)));
    // What went is removed from the file too.
    CHECK(changes.policies.size() == kMaxStsPolicies + 1);
}

TEST_CASE("a day's results are bounded, and a week of days is kept", "[storage][peers]") {
    PeerTables tables;
    for (std::size_t i = 0; i < kMaxTlsResults + 10; ++i) {
        tables.count(tls_result_of("d" + std::to_string(i) + ".com", ""), peer_time(1));
    }
    CHECK(tables.results().size() == kMaxTlsResults);
    // What is counted already goes on.
    tables.count(tls_result_of("d0.com", ""), peer_time(1));
    CHECK(tables.results().front().sessions == 2);

    tables.count(tls_result_of("d0.com", ""), peer_time(24 * 6));
    CHECK(tables.results().size() == kMaxTlsResults + 1);
    tables.count(tls_result_of("d0.com", ""), peer_time(24 * 7));

    CHECK(tables.results().size() == 2);
}

TEST_CASE("words of a peer are cut", "[storage][peers]") {
    PeerTables tables;
    auto result = tls_result_of("contoso.com", "");
    result.detail = std::string(5000, 'x');

    tables.count(result, peer_time(1));

    CHECK(tables.results().front().result.detail.size() == kMaxPeerText);
}

}  // namespace mailflow
