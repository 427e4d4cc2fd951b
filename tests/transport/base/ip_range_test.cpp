#include "transport/base/ip_range.hpp"

#include <catch2/catch.hpp>

#include <array>

namespace mailflow {

namespace {

IpAddress address(std::string_view text) {
    return IpAddress::parse(text).value();
}

IpRange range(std::string_view text) {
    return IpRange::parse(text).value();
}

}  // namespace

TEST_CASE("A range is one address, two ends or a prefix", "[base][ip]") {
    struct Case {
        const char* text;
        const char* first;
        const char* last;
    };

    const auto [text, first, last] = GENERATE(
        Case{"192.0.2.7", "192.0.2.7", "192.0.2.7"},
        Case{"192.0.2.0-192.0.2.255", "192.0.2.0", "192.0.2.255"},
        Case{"192.0.2.0 - 192.0.2.9", "192.0.2.0", "192.0.2.9"},
        Case{"192.0.2.0/24", "192.0.2.0", "192.0.2.255"},
        Case{"192.0.2.128/25", "192.0.2.128", "192.0.2.255"},
        Case{"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
        Case{"192.0.2.1/32", "192.0.2.1", "192.0.2.1"},
        Case{"::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        Case{"2001:db8::/33", "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"},
        Case{"::1/128", "::1", "::1"},
        Case{"::ffff:192.0.2.0/120", "192.0.2.0", "192.0.2.255"});

    CAPTURE(text);
    CHECK(range(text).first() == address(first));
    CHECK(range(text).last() == address(last));
    CHECK(range(text).text() == text);
}

TEST_CASE("A range that is not one is refused", "[base][ip]") {
    const auto* text = GENERATE(
        "",
        "192.0.2.1/24",
        "192.0.2.0/33",
        "192.0.2.0/",
        "192.0.2.0/-1",
        "192.0.2.0/0024",
        "/24",
        "192.0.2.9-192.0.2.1",
        "192.0.2.1-::1",
        "2001:db8::1/64",
        "::/129",
        "::ffff:192.0.2.0/24",
        "::/80",
        "a-b",
        "192.0.2.0-",
        "192.0.2.0/24/24");

    CAPTURE(text);
    CHECK(IpRange::parse(text).has_error());
}

TEST_CASE(
    "A range holds its ends, its own family only, and mapped addresses as IPv4", "[base][ip]") {
    const auto v4 = range("192.0.2.0/24");
    const auto all_v6 = range("::/0");

    CHECK(v4.contains(address("192.0.2.0")));
    CHECK(v4.contains(address("192.0.2.255")));
    CHECK(v4.contains(address("::ffff:192.0.2.9")));
    CHECK_FALSE(v4.contains(address("192.0.1.255")));
    CHECK_FALSE(v4.contains(address("192.0.3.0")));
    CHECK(all_v6.contains(address("2001:db8::1")));
    CHECK_FALSE(all_v6.contains(address("192.0.2.1")));
    CHECK_FALSE(range("0.0.0.0/0").contains(address("::1")));
}

TEST_CASE("Ranges are compared by what they share and how much they hold", "[base][ip]") {
    CHECK(range("10.0.0.0/8").contains(range("10.1.0.0/16")));
    CHECK_FALSE(range("10.1.0.0/16").contains(range("10.0.0.0/8")));
    CHECK(range("10.0.0.0-10.0.0.9").overlaps(range("10.0.0.9-10.0.0.20")));
    CHECK_FALSE(range("10.0.0.0-10.0.0.8").overlaps(range("10.0.0.9")));
    CHECK_FALSE(range("0.0.0.0/0").overlaps(range("::/0")));
    CHECK(range("10.0.0.255-10.0.1.0").smaller_than(range("10.0.0.0-10.0.0.2")));
    CHECK_FALSE(range("10.0.0.0/24").smaller_than(range("11.0.0.0/24")));
    CHECK(range("2001:db8::/64").smaller_than(range("2001:db8::/63")));
}

TEST_CASE("A list of ranges holds what any of them holds", "[base][ip]") {
    const std::array ranges{range("10.0.0.0/8"), range("2001:db8::/32")};

    CHECK(any_contains(ranges, address("10.9.9.9")));
    CHECK(any_contains(ranges, address("2001:db8:1::")));
    CHECK_FALSE(any_contains(ranges, address("11.0.0.0")));
    CHECK_FALSE(any_contains({}, address("10.0.0.1")));
}

}  // namespace mailflow
