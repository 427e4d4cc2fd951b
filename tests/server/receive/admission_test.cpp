#include "server/receive/admission.hpp"

#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace mailflow;

namespace {

IpAddress address(const char* text) {
    return IpAddress::parse(text).value();
}

}  // namespace

TEST_CASE("connections are limited in all, per source and by share", "[receive][admission]") {
    struct Case {
        std::optional<std::uint32_t> most;
        std::optional<std::uint32_t> per_source;
        std::uint32_t percentage;
        ConnectionCounts counts;
        bool accepted;
    };

    const std::vector<Case> cases = {
        {5000, 20, 2, {0, 0}, true},
        {5000, 20, 2, {19, 19}, true},
        {5000, 20, 2, {20, 20}, false},
        {5000, 20, 2, {4999, 0}, true},
        {5000, 20, 2, {5000, 0}, false},
        {10, 20, 20, {1, 1}, true},  // a fifth of 10
        {10, 20, 20, {2, 2}, false},
        {10, 20, 20, {6, 0}, true},   // at least one
        {10, 20, 20, {6, 1}, false},  // a fifth of the 5 the others leave
        {std::nullopt, 3, 2, {100, 2}, true},
        {std::nullopt, 3, 2, {100, 3}, false},
        {std::nullopt, std::nullopt, 2, {100'000, 100'000}, true},
        {10, std::nullopt, 100, {9, 9}, true},
    };
    for (const auto& one : cases) {
        ReceiveConnector connector;
        connector.max_inbound_connection = one.most;
        connector.max_inbound_connection_per_source = one.per_source;
        connector.max_inbound_connection_percentage_per_source = one.percentage;
        CAPTURE(one.counts.total, one.counts.source);

        const auto verdict = check_connection(connector, address("198.51.100.7"), one.counts);

        CHECK(verdict.is_accepted() == one.accepted);
    }
}

TEST_CASE("limits per source do not hold for loopback and trusted peers", "[receive][admission]") {
    ReceiveConnector connector;
    connector.max_inbound_connection_per_source = 1;

    CHECK(check_connection(connector, address("127.0.0.1"), {5, 5}).is_accepted());
    CHECK(check_connection(connector, address("::1"), {5, 5}).is_accepted());
    CHECK_FALSE(check_connection(connector, address("198.51.100.7"), {5, 5}).is_accepted());
    connector.permission_groups = static_cast<std::uint8_t>(PermissionGroup::trusted);
    CHECK(check_connection(connector, address("198.51.100.7"), {5, 5}).is_accepted());
    CHECK_FALSE(check_connection(connector, address("127.0.0.1"), {5000, 5}).is_accepted());
}

TEST_CASE("connection refusals say 421 4.3.2 and which limit", "[receive][admission]") {
    ReceiveConnector connector;
    connector.max_inbound_connection = 1;

    const auto total = check_connection(connector, address("198.51.100.7"), {1, 0});
    connector.max_inbound_connection = 100;
    const auto source = check_connection(connector, address("198.51.100.7"), {20, 20});

    CHECK(
        total.refusal->wire() ==
        "421 4.3.2 The maximum number of concurrent connections has exceeded a limit, closing "
        "transmission channel\r\n");
    CHECK(
        source.refusal->wire() ==
        "421 4.3.2 The maximum number of concurrent server connections has exceeded a per-source "
        "limit, closing "
        "transmission channel\r\n");
}

TEST_CASE("a full disk is 452 4.3.1, any other failure of ours 451 4.3.0", "[receive][admission]") {
    CHECK(local_failure(Error::disk_full).one_line() == "452 4.3.1 Insufficient system resources");
    for (const auto error :
         {Error::store_failed, Error::unavailable, Error::corrupt, Error::cancelled}) {
        CHECK(local_failure(error).one_line().starts_with("451 4.3.0 "));
    }
}

TEST_CASE("what is counted is given back", "[receive][admission]") {
    ConnectionCounter counter;
    const auto a = address("198.51.100.7");
    const auto b = address("198.51.100.8");
    counter.add("c", a);
    counter.add("c", a);
    counter.add("c", b);
    counter.add("d", a);

    CHECK(counter.counts("c", a).total == 3);
    CHECK(counter.counts("c", a).source == 2);
    counter.remove("c", a);
    counter.remove("c", a);
    CHECK(counter.counts("c", a).total == 1);
    CHECK(counter.counts("c", a).source == 0);
    counter.remove("c", b);
    CHECK(counter.counts("c", b).total == 0);
    CHECK(counter.counts("d", a).source == 1);
}
