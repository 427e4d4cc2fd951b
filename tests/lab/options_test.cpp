#include "tests/lab/options.hpp"

#include "tests/lab/child_process.hpp"

#include <catch2/catch.hpp>

#include <csignal>

namespace mailflow::lab {

TEST_CASE("Options take values, flags and a command", "[lab][options]") {
    const auto options = Options::parse(
        {"--zone", "a", "--to=b", "--to", "c", "--json", "--", "make", "--zone", "x"},
        {"zone", "to"},
        {"json"});

    CHECK(options.text("zone") == "a");
    CHECK(options.all("to") == std::vector<std::string>{"b", "c"});
    CHECK(options.has("json"));
    CHECK(options.command() == std::vector<std::string>{"make", "--zone", "x"});
    CHECK(options.number("none", 7) == 7);
    CHECK_THROWS_AS(options.number("zone", 7), UsageError);
    CHECK_THROWS_AS(options.required("none"), UsageError);
    CHECK_THROWS_AS(Options::parse({"--unknown"}, {}, {}), UsageError);
    CHECK_THROWS_AS(Options::parse({"word"}, {}, {}), UsageError);
    CHECK_THROWS_AS(Options::parse({"--zone"}, {"zone"}, {}), UsageError);
}

TEST_CASE("A child's exit status is told as a shell tells it", "[lab][child]") {
    constexpr std::chrono::milliseconds kPatience{20'000};
    ChildProcess seven({{"sh", "-c", "exit $STATUS"}, {{"STATUS", "7"}}, {}});
    ChildProcess killed({{"sh", "-c", "kill -9 $$"}, {}, {}});
    ChildProcess missing({{"/nonexistent/program"}, {}, "/dev/null"});
    ChildProcess endless({{"sleep", "1000"}, {}, {}});

    CHECK(seven.wait(kPatience) == 7);
    CHECK(killed.wait(kPatience) == 128 + SIGKILL);
    CHECK(missing.wait(kPatience) == 127);
    CHECK_FALSE(endless.status());
    CHECK(endless.stop(kPatience) == 128 + SIGTERM);
}

}  // namespace mailflow::lab
