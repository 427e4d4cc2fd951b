#include "server/ctl/arguments.hpp"

#include <catch2/catch.hpp>

using namespace mailflow::ctl;

TEST_CASE("Words and flags may come in any order", "[ctl][arguments]") {
    const auto arguments = Arguments::parse(
        {"--json",
         "send-connector",
         "create",
         "Internet",
         "--address-space",
         "*",
         "--usage=internet",
         "--yes"});

    REQUIRE(arguments.words() == std::vector<std::string>{"send-connector", "create", "Internet"});
    CHECK(arguments.value("address-space") == "*");
    CHECK(arguments.value("usage") == "internet");
    CHECK(arguments.has("json"));
    CHECK(arguments.has("yes"));
    CHECK_FALSE(arguments.value("socket"));
}

TEST_CASE("A flag without a value counts as true", "[ctl][arguments]") {
    const auto arguments =
        Arguments::parse({"send-connector", "set", "A", "--scoped", "--port", "2525"});

    CHECK(arguments.value("scoped") == "true");
    CHECK(arguments.value("port") == "2525");
}

TEST_CASE("A switch never swallows the word behind it", "[ctl][arguments]") {
    const auto arguments = Arguments::parse({"--json", "status"});

    CHECK(arguments.word(0) == "status");
}

TEST_CASE("An empty value is a value", "[ctl][arguments]") {
    const auto arguments =
        Arguments::parse({"mailbox", "set", "A", "--first-name", "", "--last-name="});

    CHECK(arguments.value("first-name") == "");
    CHECK(arguments.value("last-name") == "");
}

TEST_CASE("Repeated flags are kept in order", "[ctl][arguments]") {
    const auto arguments =
        Arguments::parse({"x", "set", "--remote-range", "A", "--remote-range", "B"});

    REQUIRE(arguments.flags().size() == 2);
    CHECK(arguments.flags()[0].value == "A");
    CHECK(arguments.flags()[1].value == "B");
    CHECK(arguments.value("remote-range") == "B");
}

TEST_CASE("Everything behind -- is a word", "[ctl][arguments]") {
    const auto arguments = Arguments::parse({"message", "show", "--", "--odd"});

    CHECK(arguments.word(2) == "--odd");
}

TEST_CASE("Global flags are taken out before a command looks at its own", "[ctl][arguments]") {
    const auto arguments =
        Arguments::parse({"status", "--json", "--socket", "/s", "--other", "1"}).without_globals();

    REQUIRE(arguments.flags().size() == 1);
    CHECK(arguments.flags()[0].name == "other");
}
