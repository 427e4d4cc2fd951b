#include "transport/base/ip_address.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

IpAddress address(std::string_view text) {
    return IpAddress::parse(text).value();
}

}  // namespace

TEST_CASE("Addresses are read and written in their shortest form", "[base][ip]") {
    struct Case {
        const char* text;
        const char* written;
        const char* literal;
    };

    const auto [text, written, literal] = GENERATE(
        Case{"192.0.2.1", "192.0.2.1", "[192.0.2.1]"},
        Case{"0.0.0.0", "0.0.0.0", "[0.0.0.0]"},
        Case{"2001:DB8:0:0:0:0:0:1", "2001:db8::1", "[IPv6:2001:db8::1]"},
        Case{"::", "::", "[IPv6:::]"},
        Case{"::ffff:192.0.2.1", "192.0.2.1", "[192.0.2.1]"},
        Case{"::FFFF:c000:0201", "192.0.2.1", "[192.0.2.1]"});

    CHECK(address(text).text() == written);
    CHECK(address(text).literal() == literal);
    CHECK(address(address(text).text()) == address(text));
}

TEST_CASE("Text that is no address is refused", "[base][ip]") {
    const auto* text = GENERATE(
        "",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.1.1",
        "192.0.2.01",
        " 192.0.2.1",
        "192.0.2.1 ",
        "0x7f.1",
        "2130706433",
        ":::",
        "2001:db8::1::2",
        "fe80::1%eth0",
        "[::1]",
        "12345::",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc");

    CAPTURE(text);
    CHECK(IpAddress::parse(text).has_error());
    CHECK(IpAddress::parse(std::string_view("192.0.2.1\0", 10)).has_error());
}

TEST_CASE("Addresses know their kind", "[base][ip]") {
    for (const auto* text : {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"}) {
        CAPTURE(text);
        CHECK(address(text).is_loopback());
    }
    for (const auto* text :
         {"10.0.0.1",
          "172.16.0.1",
          "172.31.255.255",
          "192.168.1.1",
          "169.254.9.9",
          "100.64.0.1",
          "0.1.2.3",
          "fc00::1",
          "fd12::",
          "fe80::1",
          "febf::1"}) {
        CAPTURE(text);
        CHECK(address(text).is_private());
    }
    for (const auto* text :
         {"9.255.255.255",
          "11.0.0.1",
          "172.15.0.1",
          "172.32.0.1",
          "192.169.0.1",
          "100.63.0.1",
          "100.128.0.1",
          "1.0.0.0",
          "2001:db8::1",
          "fec0::1",
          "fb00::"}) {
        CAPTURE(text);
        CHECK_FALSE(address(text).is_private());
        CHECK_FALSE(address(text).is_loopback());
    }
    CHECK(address("224.0.0.1").is_multicast());
    CHECK(address("ff02::1").is_multicast());
    CHECK_FALSE(address("223.0.0.1").is_multicast());
    CHECK(address("::").is_unspecified());
    CHECK(IpAddress().is_unspecified());
    CHECK(IpAddress::v4(0xc0000201).text() == "192.0.2.1");
}

TEST_CASE("The unspecified addresses of both families differ, also as keys", "[base][ip]") {
    const std::hash<IpAddress> hash;

    CHECK(address("::") != address("0.0.0.0"));
    CHECK(hash(address("::")) != hash(address("0.0.0.0")));
    CHECK(hash(address("::ffff:192.0.2.1")) == hash(address("192.0.2.1")));
}

TEST_CASE("An endpoint is an address with a port", "[base][ip]") {
    CHECK(Endpoint::parse("192.0.2.1:25").value().text() == "192.0.2.1:25");
    CHECK(Endpoint::parse("[2001:DB8::1]:65535").value().text() == "[2001:db8::1]:65535");
    CHECK(Endpoint::parse("127.0.0.1:0").value().port == 0);

    for (const auto* text :
         {"",
          "192.0.2.1",
          "192.0.2.1:",
          "192.0.2.1:65536",
          "192.0.2.1:-1",
          "2001:db8::1:25",
          "[192.0.2.1]:25",
          "[::1]",
          "[::1:25",
          "::1]:25",
          ":25",
          "localhost:25"}) {
        CAPTURE(text);
        CHECK(Endpoint::parse(text).has_error());
    }
}

}  // namespace mailflow
