#include "transport/addressing/address_rewriter.hpp"

#include "tests/support/property_seeds.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/transport/addressing/recipients.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

AddressPattern pattern(std::string_view text) {
    AddressPattern made;
    if (text.find('@') != std::string_view::npos) {
        made.address = address(text);
    } else {
        made.include_subdomains = text.starts_with("*.");
        made.domain = domain(text.substr(made.include_subdomains ? 2 : 0));
    }
    return made;
}

AddressRewrite entry(
    std::string_view internal, std::string_view external, bool outbound_only = false) {
    AddressRewrite made;
    made.name = std::string(internal) + " " + std::string(external);
    made.internal = pattern(internal);
    made.external = pattern(external);
    made.outbound_only = outbound_only || made.internal.include_subdomains;
    return made;
}

std::string shown(const std::optional<AddressRewriter::Rewritten>& rewritten) {
    return rewritten ? rewritten->address.text() : "";
}

}  // namespace

TEST_CASE(
    "Reference 4.8: an address before its domain before *.domain, once", "[addressing][rewrite]") {
    auto tree = entry("*.contoso.com", "contoso.com");
    tree.exceptions = {domain("legal.contoso.com")};
    const std::vector entries{
        tree,
        entry("*.emea.contoso.com", "contoso.eu"),
        entry("corp.contoso.com", "contoso.com"),
        entry("david@corp.contoso.com", "support@contoso.com"),
        entry("contoso.com", "fabrikam.com")};
    const AddressRewriter rewriter(entries);
    const auto outbound = [&rewriter](std::string_view text) {
        return shown(rewriter.outbound(address(text)));
    };

    CHECK(outbound("david@corp.contoso.com") == "support@contoso.com");
    CHECK(outbound("DAVID@CORP.contoso.com") == "support@contoso.com");
    CHECK(outbound("Kim.A@corp.contoso.com") == "Kim.A@contoso.com");  // not on to fabrikam.com
    CHECK(outbound("kim@contoso.com") == "kim@fabrikam.com");
    CHECK(outbound("kim@asia.contoso.com") == "kim@contoso.com");
    CHECK(outbound("kim@a.b.contoso.com") == "kim@contoso.com");
    CHECK(outbound("kim@emea.contoso.com") == "kim@contoso.eu");
    CHECK(outbound("kim@x.emea.contoso.com") == "kim@contoso.eu");
    CHECK(outbound("kim@legal.contoso.com").empty());
    CHECK(outbound("kim@a.legal.contoso.com").empty());
    CHECK(outbound("kim@xcontoso.com").empty());
    CHECK(outbound("kim@fabrikam.com").empty());
    CHECK(outbound("kim@[192.0.2.1]").empty());
    CHECK(rewriter.outbound(address("david@corp.contoso.com"))->by == &entries[3]);
}

TEST_CASE(
    "Reference 4.8: inbound takes no part of what is outbound only", "[addressing][rewrite]") {
    const std::vector entries{
        entry("*.contoso.com", "contoso.com"),
        entry("corp.fabrikam.com", "fabrikam.com"),
        entry("david@corp.fabrikam.com", "support@fabrikam.com"),
        entry("lab.fabrikam.com", "lab.example", true)};
    const AddressRewriter rewriter(entries);
    const auto inbound = [&rewriter](std::string_view text) {
        return shown(rewriter.inbound(address(text)));
    };

    CHECK(inbound("kim@fabrikam.com") == "kim@corp.fabrikam.com");
    CHECK(inbound("Support@Fabrikam.com") == "david@corp.fabrikam.com");
    CHECK(inbound("kim@contoso.com").empty());
    CHECK(inbound("kim@lab.example").empty());
    CHECK(inbound("kim@corp.fabrikam.com").empty());
    CHECK(inbound("kim@[192.0.2.1]").empty());
}

TEST_CASE("Of two entries for the same the first counts", "[addressing][rewrite]") {
    const std::vector entries{entry("a.example", "x.example"), entry("a.example", "y.example")};
    const AddressRewriter rewriter(entries);

    CHECK(shown(rewriter.outbound(address("kim@a.example"))) == "kim@x.example");
    CHECK(shown(rewriter.inbound(address("kim@y.example"))) == "kim@a.example");
}

TEST_CASE("Without entries nothing is rewritten", "[addressing][rewrite]") {
    const std::vector<AddressRewrite> none;
    const AddressRewriter rewriter(none);

    CHECK(rewriter.empty());
    CHECK_FALSE(rewriter.outbound(address("kim@contoso.com")));
    CHECK_FALSE(rewriter.inbound(address("kim@contoso.com")));
}

namespace {

// Entries of two ways whose external sides do not meet: `u<n>@ext…` is nobody's mapped address of
// a domain entry, for those have locals of another form.
std::vector<AddressRewrite> generated_entries(Random& random) {
    std::vector<AddressRewrite> entries;
    for (std::uint64_t n = 0; n < 1 + random.below(8); ++n) {
        const auto number = std::to_string(n);
        switch (random.below(4)) {
            case 0:
                entries.push_back(entry(
                    "in" + number + "@corp" + std::to_string(random.below(3)) + ".example",
                    "u" + number + "@ext" + std::to_string(random.below(3)) + ".example"));
                break;
            case 1:
                entries.push_back(entry("corp" + number + ".example", "ext" + number + ".example"));
                break;
            case 2: entries.push_back(entry("*.corp" + number + ".example", "flat.example")); break;
            default:
                entries.push_back(entry("one" + number + ".example", "way.example", true));
                break;
        }
    }
    return entries;
}

}  // namespace

TEST_CASE("Inbound after outbound is where an address came from", "[addressing][rewrite]") {
    std::size_t mapped = 0;
    for (std::uint64_t seed = 1; seed <= property_seeds(500); ++seed) {
        SeededRandom random(seed);
        const auto entries = generated_entries(random);
        const AddressRewriter rewriter(entries);
        for (int i = 0; i < 30; ++i) {
            const auto number = std::to_string(random.below(9));
            const auto* const below = random.below(3) == 0 ? "a." : "";
            const auto given = address(
                (random.below(2) == 0 ? "In" : "kim") + number + "@" + below + "corp" +
                std::to_string(random.below(4)) + ".example");
            CAPTURE(seed, given.text());

            const auto out = rewriter.outbound(given);
            if (!out || out->by->outbound_only) {
                continue;
            }
            ++mapped;
            const auto back = rewriter.inbound(out->address);

            REQUIRE(back);
            REQUIRE(back->by == out->by);
            REQUIRE(back->address.lookup_key() == given.lookup_key());
        }
    }
    CHECK(mapped > 500);
}

}  // namespace mailflow
