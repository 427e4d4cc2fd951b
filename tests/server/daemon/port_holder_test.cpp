#include "server/daemon/port_holder.hpp"

#include "tests/support/run_task.hpp"
#include "transport/net/network.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <string>
#include <unistd.h>

using namespace mailflow;

namespace {

namespace errc = boost::system::errc;

// A listener of this process, closed with it.
struct Listening {
    explicit Listening(const char* binding)
        : acceptor(std::move(*network.listen(test.lane, Endpoint::parse(binding).value()))) {}

    [[nodiscard]] Endpoint at(const char* address) const {
        return {IpAddress::parse(address).value(), acceptor->local().port};
    }

    TestLane test;
    SystemNetwork network;
    std::unique_ptr<Acceptor> acceptor;
};

std::string this_process() {
    std::ifstream file("/proc/self/comm");
    std::string name;
    std::getline(file, name);
    return name + " (pid " + std::to_string(::getpid()) + ")";
}

}  // namespace

TEST_CASE("who listens on a port is found by name and process id", "[daemon][port_holder]") {
    const Listening one("127.0.0.1:0");
    const Listening all("0.0.0.0:0");
    const Listening six("[::1]:0");

    CHECK(find_port_holder(one.at("127.0.0.1"), HolderSearch::anyone) == this_process());
    CHECK(find_port_holder(one.at("0.0.0.0"), HolderSearch::anyone) == this_process());
    CHECK(find_port_holder(all.at("127.0.0.2"), HolderSearch::anyone) == this_process());
    CHECK(find_port_holder(six.at("::1"), HolderSearch::anyone) == this_process());
}

TEST_CASE("who is not in the way is not found", "[daemon][port_holder]") {
    Listening one("127.0.0.1:0");
    const Listening six("[::1]:0");

    CHECK(find_port_holder(one.at("127.0.0.2"), HolderSearch::anyone).empty());
    CHECK(find_port_holder(one.at("127.0.0.1"), HolderSearch::other_processes).empty());
    CHECK(find_port_holder(six.at("127.0.0.1"), HolderSearch::anyone).empty());
    const auto gone = one.at("127.0.0.1");
    one.acceptor->close();
    CHECK(find_port_holder(gone, HolderSearch::anyone).empty());
}

TEST_CASE("why a binding cannot be opened is said with what helps", "[daemon][port_holder]") {
    const auto in_use = errc::make_error_code(errc::address_in_use);
    const auto no_address = errc::make_error_code(errc::address_not_available);
    const auto denied = errc::make_error_code(errc::permission_denied);

    CHECK(
        binding_failure_words(in_use, "master (pid 812)") ==
        "Address already in use; master (pid 812) holds it");
    CHECK(binding_failure_words(in_use, "") == "Address already in use");
    CHECK_THAT(binding_failure_words(no_address, ""), Catch::Contains("no interface of this host"));
    CHECK_THAT(binding_failure_words(denied, ""), Catch::Contains("CAP_NET_BIND_SERVICE"));
}
