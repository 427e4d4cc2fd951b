#include "tests/lab/behaviour.hpp"

#include <catch2/catch.hpp>

namespace mailflow::lab {

TEST_CASE("Behaviours are read item by item", "[lab][behaviour]") {
    const auto read = parse_behaviour(
        "451-rcpt-2,550-data,drop-dot-1,slow-50,no-pipelining,size-1000,recipients-5,messages-3",
        ',');

    REQUIRE(read);
    REQUIRE(read->failures.size() == 3);
    CHECK(read->failures[0].code == 451);
    CHECK(read->failures[0].stage == Stage::rcpt);
    CHECK(read->failures[0].times == 2U);
    CHECK_FALSE(read->failures[1].times);
    CHECK(read->failures[2].code == 0);
    CHECK(read->failures[2].stage == Stage::dot);
    CHECK(read->slow == std::chrono::milliseconds(50));
    CHECK_FALSE(read->offers("PIPELINING"));
    CHECK(read->offers("SIZE"));
    CHECK(read->size == 1000U);
    CHECK(read->recipients == 5U);
    CHECK(read->messages == 3U);
}

TEST_CASE("Ordinary local parts mean nothing", "[lab][behaviour]") {
    for (const auto* const text :
         {"bob",
          "451",
          "451-rcpt-x",
          "250-rcpt",
          "600-rcpt",
          "451-bcc",
          "451-rcpt-1-2",
          "drop",
          "no-tls",
          "slow",
          "slow-x",
          "slow-10+bob",
          "-",
          "+"}) {
        INFO(text);
        CHECK_FALSE(parse_behaviour(text, '+'));
    }
    CHECK(parse_behaviour("", '+'));
    CHECK(parse_behaviour("451-rcpt-2+slow-10", '+'));
}

}  // namespace mailflow::lab
