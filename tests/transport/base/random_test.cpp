#include "transport/base/random.hpp"

#include "tests/support/seeded_random.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <set>

namespace mailflow {

TEST_CASE("Numbers below a bound are below it, and all of them come", "[base][random]") {
    SeededRandom random(7);
    std::set<std::uint64_t> seen;

    for (int i = 0; i < 1000; ++i) {
        seen.insert(random.below(10));
    }

    CHECK(seen.size() == 10);
    CHECK(*seen.rbegin() == 9);
    CHECK(random.below(1) == 0);
}

TEST_CASE("The kernel's randomness does not repeat", "[base][random]") {
    SystemRandom random;
    std::set<std::uint64_t> seen;

    for (int i = 0; i < 100; ++i) {
        seen.insert(random.next());
    }

    CHECK(seen.size() == 100);
}

}  // namespace mailflow
