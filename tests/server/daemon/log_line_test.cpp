#include "server/daemon/log_sinks.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

constexpr UtcTime kTime = UtcTime(std::chrono::milliseconds(1'795'423'216'123));

}  // namespace

TEST_CASE(
    "A text line is time, level, event and key=value, quoted where it must be", "[daemon][log]") {
    const auto line = log_line(
        LogFormat::text,
        kTime,
        LogLevel::info,
        "message accepted",
        {{"size", 4096}, {"from", "a@contoso.com"}, {"subject", "two \"words\"\n"}, {"empty", ""}});

    CHECK(
        line ==
        "2026-11-23T08:40:16.123Z info message accepted size=4096 from=a@contoso.com "
        "subject=\"two \\\"words\\\"\\x0a\" empty=\"\"");
}

TEST_CASE("Attack case 27: what came from the network ends no line of the log", "[daemon][log]") {
    const auto line = [](LogFormat format) {
        return log_line(format, kTime, LogLevel::warning, "x", {{"n", 1}, {"t", "a\"b\n"}});
    };

    CHECK(
        line(LogFormat::json) ==
        "{\"time\":\"2026-11-23T08:40:16.123Z\",\"level\":\"warning\",\"event\":\"x\",\"n\":1,"
        "\"t\":\"a\\\"b\\u000a\"}");
    CHECK(line(LogFormat::text) == "2026-11-23T08:40:16.123Z warning x n=1 t=\"a\\\"b\\x0a\"");
}
