#include "tests/lab/zone.hpp"

#include <catch2/catch.hpp>

namespace mailflow::lab {

TEST_CASE("A zone file is read as RFC 1035 writes it", "[lab][zone]") {
    const auto zone = Zone::parse(
        "; a comment\n"
        "$TTL 60\n"
        "$ORIGIN Contoso.com.\n"
        "@ 3600 IN SOA ns hostmaster ( 1 2\n"
        "    3 4 17 ) ; over two lines\n"
        "@\tIN MX 10 mail\n"
        "  20 MX 20 backup.example.\n"
        "@ TXT \"a; b\" \"c\\\"d\" e\n"
        "mail A 192.0.2.1\n"
        "mail AAAA 2001:db8::1\n"
        "$ORIGIN example.\n"
        "alias CNAME mail.contoso.com.\n");

    const auto mx = zone.find("contoso.com", Type::mx);
    REQUIRE(mx.records.size() == 2);
    CHECK(mx.records[0].name == "mail.contoso.com");
    CHECK(mx.records[0].ttl == 60);
    CHECK(mx.records[1].name == "backup.example");
    CHECK(mx.records[1].preference == 20);
    CHECK(mx.records[1].ttl == 20);
    CHECK(
        zone.find("contoso.com", Type::txt).records.at(0).bytes == std::string("\4a; b\3c\"d\1e"));
    CHECK(
        zone.find("mail.contoso.com", Type::a).records.at(0).bytes ==
        std::string("\xc0\x00\x02\x01", 4));
    CHECK(zone.find("mail.contoso.com", Type::aaaa).records.at(0).bytes.size() == 16);
    CHECK(zone.find("alias.example", Type::a).records.at(0).name == "mail.contoso.com");
    CHECK(zone.authority("nowhere.contoso.com").first == "contoso.com");
    CHECK(zone.authority("nowhere.contoso.com").second.minimum == 17);
    CHECK(zone.authority("nowhere.example").first.empty());
}

TEST_CASE("A name without records of a type exists; a name not there does not", "[lab][zone]") {
    const auto zone = Zone::parse("a.b.example A 192.0.2.1\n");

    CHECK(zone.find("a.b.example", Type::mx).exists);
    CHECK(zone.find("b.example", Type::a).exists);
    CHECK(zone.find("b.example", Type::a).records.empty());
    CHECK_FALSE(zone.find("c.example", Type::a).exists);
    CHECK_FALSE(zone.find("x.a.b.example", Type::a).exists);
    CHECK_FALSE(zone.find(".example", Type::a).exists);
}

TEST_CASE("A wildcard stands in for what is not there", "[lab][zone][rfc4592]") {
    const auto zone = Zone::parse(
        "* MX 10 everywhere.example\n"
        "*.example A 192.0.2.1\n"
        "host.example A 192.0.2.2\n");

    CHECK(zone.find("anything.example", Type::a).records.size() == 1);
    CHECK(zone.find("deep.below.example", Type::a).records.size() == 1);
    CHECK(zone.find("host.example", Type::a).records.at(0).bytes.back() == 2);
    CHECK_FALSE(zone.find("below.host.example", Type::a).exists);
    CHECK(zone.find("contoso.com", Type::mx).records.size() == 1);
    CHECK(zone.find("contoso.com", Type::a).exists);
}

TEST_CASE("Markers make a name misbehave, for all types or some", "[lab][zone]") {
    const auto zone = Zone::parse(
        "bad SERVFAIL\n"
        "no REFUSED\n"
        "half DROP AAAA MX\n"
        "half A 192.0.2.1\n"
        "gone NXDOMAIN\n"
        "cut TRUNCATE\n");

    CHECK(zone.find("bad", Type::mx).misbehaviour == Misbehaviour::servfail);
    CHECK(zone.find("no", Type::a).misbehaviour == Misbehaviour::refused);
    CHECK(zone.find("half", Type::mx).misbehaviour == Misbehaviour::drop);
    CHECK(zone.find("half", Type::a).misbehaviour == Misbehaviour::none);
    CHECK(zone.find("gone", Type::a).misbehaviour == Misbehaviour::nxdomain);
    CHECK(zone.find("cut", Type::a).misbehaviour == Misbehaviour::truncate);
}

TEST_CASE("A mistake in a zone file is named with its line", "[lab][zone]") {
    for (const auto* const text :
         {"\na A 192.0.2\n",
          "\na A 2001:db8::1\n",
          "\na MX mail\n",
          "\na MX ten mail\n",
          "\na\n",
          "\na PTR b\n",
          "\na TXT\n",
          "\na..b A 192.0.2.1\n",
          "\na DROP PTR\n",
          "\n$TTL\n",
          "\na A 192.0.2.1 192.0.2.2\n"}) {
        INFO(text);
        CHECK_THROWS_WITH(Zone::parse(text), Catch::StartsWith("zone line 2: "));
    }
    CHECK_THROWS_WITH(Zone::load("/nonexistent/zone"), Catch::Contains("/nonexistent/zone"));
}

}  // namespace mailflow::lab
