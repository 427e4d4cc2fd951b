#include "transport/addressing/srs.hpp"

#include "tests/support/seeded_random.hpp"
#include "tests/transport/addressing/recipients.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>

namespace mailflow {

namespace {

// Not secret, but different for different texts: FNV-1a, stretched.
std::string mac(std::string_view text) {
    std::uint64_t sum = 0xcbf29ce484222325U;
    std::string octets;
    for (int round = 0; round < 4; ++round) {
        for (const char c : text) {
            sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
        }
        for (int i = 0; i < 8; ++i) {
            octets += static_cast<char>(sum >> (8 * i));
        }
    }
    return octets;
}

std::string zeros(std::string_view) {
    return std::string(32, '\0');
}

// Day 0 of the count; the days of an address are those since then.
constexpr UtcTime kFirstDay{std::chrono::days{1024 * 20}};

UtcTime on_day(int day) {
    return kFirstDay + std::chrono::days{day};
}

Srs ours() {
    return Srs(mac, domain("srs.contoso.com"));
}

std::string folded(std::string text, bool upper) {
    std::transform(text.begin(), text.end(), text.begin(), [upper](unsigned char c) {
        return static_cast<char>(upper ? std::toupper(c) : std::tolower(c));
    });
    return text;
}

}  // namespace

TEST_CASE("SRS0 holds hash, day, domain and local part", "[addressing][srs]") {
    const Srs srs(zeros, domain("srs.contoso.com"));

    CHECK(
        srs.forward(address("alice@example.com"), on_day(0)).value().text() ==
        "SRS0=AAAAAA=AA=example.com=alice@srs.contoso.com");
    CHECK(
        srs.forward(address("alice@example.com"), on_day(33)).value().text() ==
        "SRS0=AAAAAA=BB=example.com=alice@srs.contoso.com");
    CHECK(
        srs.forward(address("alice@example.com"), on_day(1023)).value().text() ==
        "SRS0=AAAAAA=77=example.com=alice@srs.contoso.com");
    CHECK(
        srs.forward(address("a=b+c@example.com"), on_day(1024)).value().text() ==
        "SRS0=AAAAAA=AA=example.com=a=b+c@srs.contoso.com");
}

TEST_CASE("SRS1 leads back to the first forwarder, however many follow", "[addressing][srs]") {
    const Srs srs(zeros, domain("srs.contoso.com"));

    CHECK(
        srs.forward(address("SRS0=XXXX=YY=example.com=alice@f.example"), on_day(0))
            .value()
            .text() == "SRS1=AAAAAA=f.example==XXXX=YY=example.com=alice@srs.contoso.com");
    CHECK(
        srs.forward(address("srs0+XXXX=YY=example.com=alice@f.example"), on_day(0))
            .value()
            .text() == "SRS1=AAAAAA=f.example=+XXXX=YY=example.com=alice@srs.contoso.com");
    CHECK(
        srs.forward(address("SRS1=ZZ=f.example==XXXX=YY=example.com=alice@g.example"), on_day(0))
            .value()
            .text() == "SRS1=AAAAAA=f.example==XXXX=YY=example.com=alice@srs.contoso.com");
    // Not in its form: an address like any other.
    CHECK(
        srs.forward(address("SRS1=what@g.example"), on_day(0)).value().text() ==
        "SRS0=AAAAAA=AA=g.example=SRS1=what@srs.contoso.com");
}

TEST_CASE("SRS addresses lead back to whom they were made for", "[addressing][srs]") {
    const auto* sender = GENERATE(
        "alice@example.com",
        "Alice.B@example.com",
        "a=b@example.com",
        "\"a b\"@example.com",
        "\"a\\\"b\"@d",
        "j\xc3\xb6rg@example.com",
        "a@xn--bcher-kva.example",
        "SRS0=XXXX=YY=example.com=alice@f.example",
        "SRS0-XXXX=YY=example.com=alice@f.example");
    CAPTURE(sender);

    const auto made = ours().forward(address(sender), on_day(5)).value();

    CHECK(made.domain()->text() == "srs.contoso.com");
    CHECK(Srs::is_srs(made.local()));
    CHECK(ours().reverse(made, on_day(5)).value() == address(sender));
}

TEST_CASE("SRS survives hosts that fold the case", "[addressing][srs]") {
    const auto upper = GENERATE(false, true);
    const auto* sender = GENERATE("Alice@example.com", "SRS0=XXXX=YY=example.com=Alice@f.example");
    const auto made = ours().forward(address(sender), on_day(5)).value();

    const auto back = ours().reverse(address(folded(made.text(), upper)), on_day(6));

    CAPTURE(made.text());
    CHECK(back.value().lookup_key() == address(sender).lookup_key());
}

TEST_CASE("An SRS0 address expires after three weeks", "[addressing][srs]") {
    const auto made_on = GENERATE(0, 500, 1010, 1023);
    const auto made = ours().forward(address("alice@example.com"), on_day(made_on)).value();

    CHECK(ours().reverse(made, on_day(made_on)).has_value());
    CHECK(ours().reverse(made, on_day(made_on + 21)).has_value());
    CHECK(ours().reverse(made, on_day(made_on - 1)).has_value());  // a clock that is behind
    CHECK(ours().reverse(made, on_day(made_on + 22)).error() == Error::corrupt);
    CHECK(ours().reverse(made, on_day(made_on + 500)).error() == Error::corrupt);
    CHECK(ours().reverse(made, on_day(made_on - 2)).error() == Error::corrupt);
}

TEST_CASE("No octet of an SRS address may be changed", "[addressing][srs]") {
    const auto* sender = GENERATE("alice@example.com", "SRS0=XXXX=YY=example.com=alice@f.example");
    const auto made = ours().forward(address(sender), on_day(5)).value();

    for (std::size_t i = 4; i < made.local().size(); ++i) {
        auto forged = made.local();
        forged[i] = ascii::to_lower(forged[i]) == 'q' ? 'z' : 'q';  // another letter, not its case
        CAPTURE(forged);
        CHECK(ours()
                  .reverse(EmailAddress::of(forged, domain("srs.contoso.com")), on_day(5))
                  .has_error());
    }
    const Srs others(
        [](std::string_view text) { return mac(std::string(text) + "k"); },
        domain("srs.contoso.com"));
    CHECK(others.reverse(made, on_day(5)).error() == Error::corrupt);
}

TEST_CASE("What is no SRS address is told from what was not made by us", "[addressing][srs]") {
    const auto reversed = [](std::string_view text) {
        return ours().reverse(address(text), on_day(5)).error();
    };

    CHECK(reversed("alice@d") == Error::syntax);
    CHECK(reversed("SRS0@d") == Error::syntax);
    CHECK(reversed("SRS0alice@d") == Error::syntax);
    CHECK(reversed("SRS2=a@d") == Error::syntax);
    CHECK(reversed("SRS0=a@d") == Error::corrupt);
    CHECK(reversed("SRS0=AAAAAA=AA=example.com=alice@d") == Error::corrupt);
    CHECK(reversed("SRS1=AAAAAA=example.com==@d") == Error::corrupt);
    CHECK(reversed("SRS1=@d") == Error::corrupt);
    CHECK(Srs::is_srs("srs1-x"));
    CHECK_FALSE(Srs::is_srs("srs"));
}

TEST_CASE("What is made under a key but names nobody leads nowhere", "[addressing][srs]") {
    const Srs srs(zeros, domain("d"));

    for (const auto* local :
         {"SRS0=AAAAAA=AA=example.com",
          "SRS0=AAAAAA=AA=example.com=",
          "SRS0=AAAAAA=A=example.com=a",
          "SRS0=AAAAAA=A1=example.com=a",
          "SRS0=AAAAAA=AA==a",
          "SRS0=AAAAAA=AA=a_b=a",
          "SRS1=AAAAAA=f.example",
          "SRS1=AAAAAA=f.example="}) {
        CAPTURE(local);
        CHECK(
            srs.reverse(EmailAddress::of(local, domain("d")), on_day(0)).error() == Error::corrupt);
    }
}

TEST_CASE("Where SRS does not fit it says so", "[addressing][srs]") {
    const auto at_40 = std::string(40, 'a') + "@example.com";

    CHECK(ours().forward(address(at_40), on_day(0)).error() == Error::too_large);
    CHECK(ours().forward(address("a@[192.0.2.1]"), on_day(0)).error() == Error::syntax);
    CHECK(
        ours().forward(address("alice@srs.contoso.com"), on_day(0)).value() ==
        address("alice@srs.contoso.com"));
}

}  // namespace mailflow
