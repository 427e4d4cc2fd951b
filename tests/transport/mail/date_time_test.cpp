#include "transport/mail/date_time.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

// 2026-11-23 08:40:16.123 UTC, a Monday.
constexpr UtcTime kTime{Duration(1'795'423'216'123)};

}  // namespace

TEST_CASE("Dates are written in UTC", "[mail][date]") {
    CHECK(to_rfc5322(kTime) == "Mon, 23 Nov 2026 08:40:16 +0000");
    CHECK(to_iso8601(kTime) == "2026-11-23T08:40:16.123Z");
    CHECK(to_rfc3339(kTime) == "2026-11-23T08:40:16Z");
    CHECK(to_rfc5322(UtcTime{}) == "Thu, 01 Jan 1970 00:00:00 +0000");
    CHECK(to_iso8601(UtcTime(Duration(-1))) == "1969-12-31T23:59:59.999Z");
    CHECK(to_rfc5322(UtcTime(Duration(4'102'444'800'000))) == "Fri, 01 Jan 2100 00:00:00 +0000");
}

TEST_CASE(
    "RFC 5322 section 3.3 and 4.3: dates of mail are read in all their forms", "[mail][date]") {
    const auto* text = GENERATE(
        "Mon, 23 Nov 2026 08:40:16 +0000",
        "23 Nov 2026 08:40:16 +0000",
        "Mon, 23 Nov 2026 09:40:16 +0100",
        "Mon, 23 Nov 2026 03:10:16 -0530",
        "mon, 23 nov 2026 08:40:16 gmt",
        "Mon,23 Nov 2026 08:40:16 UT",
        "Mon, 23 Nov 26 03:40:16 EST",
        "Mon, 23 Nov 2026 01:40:16 PDT",
        "Mon, 23 Nov 2026 08:40:16 -0000",
        "Mon, 23 Nov 2026 08:40:16 Z",
        "Mon, 23 Nov 2026 08:40:16 +0000 (UTC)",
        "(a (nested \\) one)) Mon, 23 Nov 2026\r\n\t08:40:16 +0000",
        "Tue, 24 Nov 2026 00:40:16 +1600");

    CAPTURE(text);
    CHECK(parse_rfc5322(text).value() == std::chrono::floor<std::chrono::seconds>(kTime));
}

TEST_CASE("Text that is no date of mail is refused", "[mail][date]") {
    const auto* text = GENERATE(
        "",
        "Mon",
        "now",
        "Mon, 23 Nov 2026",
        "Mon, 23 Nov 2026 08:40:16",
        "Foo, 23 Nov 2026 08:40:16 +0000",
        "Mon, 31 Nov 2026 08:40:16 +0000",
        "Mon, 29 Feb 2026 08:40:16 +0000",
        "Mon, 0 Nov 2026 08:40:16 +0000",
        "Mon, 23 Foo 2026 08:40:16 +0000",
        "Mon, 23 Nov 20266 08:40:16 +0000",
        "Mon, 23 Nov 2 08:40:16 +0000",
        "Mon, 23 Nov 2026 24:00:00 +0000",
        "Mon, 23 Nov 2026 08:60:16 +0000",
        "Mon, 23 Nov 2026 08:40:61 +0000",
        "Mon, 23 Nov 2026 08:40:16:00 +0000",
        "Mon, 23 Nov 2026 08 +0000",
        "Mon, 23 Nov 2026 08:40:16 +000",
        "Mon, 23 Nov 2026 08:40:16 +0060",
        "Mon, 23 Nov 2026 08:40:16 0000",
        "Mon, 23 Nov 2026 08:40:16 +0000 more",
        "(Mon, 23 Nov 2026 08:40:16 +0000",
        "01 Jan 0001 00:00:00 +0100",
        "31 Dec 9999 23:59:59 -0001");

    CAPTURE(text);
    CHECK(parse_rfc5322(text).has_error());
}

TEST_CASE("Dates of ISO 8601 are read with their fraction and zone", "[mail][date]") {
    CHECK(parse_iso8601("2026-11-23T08:40:16.123Z").value() == kTime);
    CHECK(parse_iso8601("2026-11-23T08:40:16.1239999Z").value() == kTime);
    CHECK(parse_iso8601("2026-11-23t09:40:16.123+01:00").value() == kTime);
    CHECK(parse_iso8601("2026-11-23T08:40:16z").value() == kTime - Duration(123));
    CHECK(parse_iso8601("2026-11-23T08:40:16.1Z").value() == kTime - Duration(23));

    for (const auto* text :
         {"",
          "2026-11-23",
          "2026-11-23T08:40:16",
          "2026-11-23 08:40:16Z",
          "2026-13-23T08:40:16Z",
          "2026-11-31T08:40:16Z",
          "2026-11-23T8:40:16Z",
          "2026-11-23T08:40:16.Z",
          "2026-11-23T08:40:16+0100",
          "2026-11-23T08:40:16+01:00Z",
          "2026-11-23T08:40:1:Z"}) {
        CAPTURE(text);
        CHECK(parse_iso8601(text).has_error());
    }
}

TEST_CASE("A date that was written is read back", "[mail][date]") {
    for (std::int64_t day = 0; day < 40'000; day += 37) {
        const UtcTime time(std::chrono::hours(24 * day) + std::chrono::seconds(day));
        CHECK(parse_rfc5322(to_rfc5322(time)).value() == time);
        CHECK(parse_iso8601(to_iso8601(time)).value() == time);
    }
}

}  // namespace mailflow
