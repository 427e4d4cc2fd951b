#include "server/daemon/binding_probe.hpp"

#include "tests/support/memory_network.hpp"
#include "tests/support/run_task.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace mailflow;

namespace {

const auto kInUse = boost::system::errc::make_error_code(boost::system::errc::address_in_use);

Endpoint endpoint(const char* text) {
    return Endpoint::parse(text).value();
}

struct Fixture {
    // A listener of ours, as ReceiveServer tells it.
    void listen(const char* binding, const char* local) {
        listeners.push_back({endpoint(binding), endpoint(local), {"Default"}, {}});
    }

    std::string probe(const char* wanted) {
        std::string all;
        for (const auto& refused : test.run(prober.probe({endpoint(wanted)}))) {
            all += refused.binding.text() + ": " + refused.reason + "\n";
        }
        return all;
    }

    TestLane test;
    MemoryNetwork network;
    FoldedRunner worker{test.context};
    std::vector<ListenerState> listeners;
    std::string other;  // another process on the port
    BindingProbe prober{
        {network,
         test.lane,
         test.lane,
         worker,
         [this](const Endpoint&, HolderSearch search) {
             return search == HolderSearch::anyone && other.empty() ? "mailflowd (pid 1)" : other;
         },
         [this] {
             return listeners;
         }}};
};

}  // namespace

TEST_CASE("a binding that can be opened is not kept open", "[daemon][probe]") {
    Fixture f;

    CHECK(f.probe("127.0.0.1:2525").empty());

    CHECK(f.network.open().empty());
}

TEST_CASE("a binding in use is refused with its holder", "[daemon][probe]") {
    Fixture f;
    f.network.fail_listen(endpoint("127.0.0.1:2525"), kInUse);
    f.other = "lpd (pid 7)";

    CHECK(
        f.probe("127.0.0.1:2525") ==
        "127.0.0.1:2525: " + kInUse.message() + "; lpd (pid 7) holds it\n");
}

TEST_CASE("another failure is not blamed on anybody", "[daemon][probe]") {
    Fixture f;
    f.network.fail_listen(
        endpoint("192.0.2.1:25"),
        boost::system::errc::make_error_code(boost::system::errc::address_not_available));

    CHECK_THAT(f.probe("192.0.2.1:25"), Catch::Contains("no interface of this host"));
}

TEST_CASE("our own listener on all addresses is no hindrance, either way", "[daemon][probe]") {
    Fixture f;
    f.network.fail_listen(endpoint("127.0.0.1:25"), kInUse);
    f.network.fail_listen(endpoint("0.0.0.0:26"), kInUse);
    f.listen("0.0.0.0:25", "0.0.0.0:25");
    f.listen("127.0.0.1:26", "127.0.0.1:26");

    CHECK(f.probe("127.0.0.1:25").empty());
    CHECK(f.probe("0.0.0.0:26").empty());

    f.other = "lpd (pid 7)";
    CHECK_THAT(f.probe("0.0.0.0:26"), Catch::Contains("lpd (pid 7) holds it"));
}

TEST_CASE("a free port that was chosen stays with whom it was chosen for", "[daemon][probe]") {
    Fixture f;
    f.network.fail_listen(endpoint("127.0.0.1:40123"), kInUse);
    f.listen("127.0.0.1:0", "127.0.0.1:40123");

    CHECK_THAT(f.probe("127.0.0.1:40123"), Catch::Contains("mailflowd (pid 1) holds it"));
}
