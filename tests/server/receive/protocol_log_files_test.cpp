#include "server/receive/protocol_log_files.hpp"

#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_files.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace mailflow;

namespace {

constexpr auto kDay = std::chrono::hours(24);

struct Fixture {
    MemoryFiles disk;
    ManualClock clock;
    ProtocolLogFiles log{"log", disk};

    Result<> append(std::string_view lines) { return log.append(lines, clock.now()); }

    std::string text(const std::string& name) const {
        const auto all = disk.contents();
        const auto found = all.find("log/" + name);
        return found == all.end() ? "absent" : found->second;
    }

    std::size_t count() const { return disk.contents().size(); }
};

std::string line(const std::string& connector, int number, std::size_t padding = 0) {
    return "2026-01-05T12:00:00.000Z," + connector + ",08DC000000000001," + std::to_string(number) +
           ",127.0.0.1:25,127.0.0.9:4711,<," + std::string(padding, 'x') + ",\n";
}

// About a mebibyte of lines.
std::string mebibyte() {
    std::string lines;
    while (lines.size() < 1024 * 1024) {
        lines += line("A", 1, 900);
    }
    return lines;
}

std::vector<std::uint64_t> numbers(const ProtocolLogFiles::Page& page) {
    std::vector<std::uint64_t> result;
    for (const auto& found : page.lines) {
        result.push_back(found.sequence);
    }
    return result;
}

using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("A protocol log file begins with what it is", "[protocol-log]") {
    Fixture fixture;

    REQUIRE(fixture.append(line("A", 0)).has_value());

    CHECK(
        fixture.text("RECV20260105-1.log") ==
        "#Software: mailflow\n#Version: " MAILFLOW_VERSION
        "\n#Log-Type: SMTP Receive Protocol Log\n#Date: 2026-01-05T12:00:00.000Z\n#Fields: "
        "date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,"
        "data,context\n" +
            line("A", 0));
}

TEST_CASE("Each UTC day has its protocol log files", "[protocol-log]") {
    Fixture fixture;
    REQUIRE(fixture.append(line("A", 0)).has_value());

    fixture.clock.advance(kDay);
    REQUIRE(fixture.append(line("A", 1)).has_value());

    CHECK(fixture.text("RECV20260105-1.log").ends_with(line("A", 0)));
    CHECK(fixture.text("RECV20260106-1.log").ends_with(line("A", 1)));
}

TEST_CASE("A protocol log file is full at ten megabytes, at a line's end", "[protocol-log]") {
    Fixture fixture;
    const auto lines = mebibyte();

    for (int i = 0; i < 11; ++i) {
        REQUIRE(fixture.append(lines).has_value());
    }

    const auto first = fixture.text("RECV20260105-1.log");
    CHECK(first.size() <= ProtocolLogFiles::kMaxFileSize);
    CHECK(first.size() > ProtocolLogFiles::kMaxFileSize - 2000);
    CHECK(first.ends_with(line("A", 1, 900)));
    CHECK(fixture.text("RECV20260105-2.log").ends_with(line("A", 1, 900)));
    CHECK(fixture.count() == 2);
}

TEST_CASE("The oldest protocol log files go beyond 250 megabytes", "[protocol-log]") {
    Fixture fixture;
    const auto lines = mebibyte();

    for (int i = 0; i < 270; ++i) {
        if (i % 20 == 0) {
            fixture.clock.advance(kDay);
        }
        REQUIRE(fixture.append(lines).has_value());
    }

    std::uint64_t total = 0;
    for (const auto& [name, text] : fixture.disk.contents()) {
        total += text.size();
    }
    CHECK(total <= ProtocolLogFiles::kMaxTotalSize);
    CHECK(total > ProtocolLogFiles::kMaxTotalSize - 3 * ProtocolLogFiles::kMaxFileSize);
    CHECK(fixture.text("RECV20260106-1.log") == "absent");
    CHECK(fixture.text("RECV20260119-1.log") != "absent");
}

TEST_CASE("Protocol log files go after 30 days, also when nothing is written", "[protocol-log]") {
    Fixture fixture;
    REQUIRE(fixture.append(line("A", 0)).has_value());
    fixture.clock.advance(kDay);
    REQUIRE(fixture.append(line("A", 1)).has_value());

    fixture.clock.advance(30 * kDay);
    fixture.log.delete_old(fixture.clock.now());

    CHECK(fixture.text("RECV20260105-1.log") == "absent");
    CHECK(fixture.text("RECV20260106-1.log") != "absent");
}

TEST_CASE("Other files in the folder are left alone", "[protocol-log]") {
    Fixture fixture;
    REQUIRE(fixture.disk.make_directory("log").has_value());
    for (const std::string name :
         {"log/notes.txt",
          "log/RECV2026-1.log",
          "log/RECV20250101-x.log",
          "log/RECV20250101-1.log.gz"}) {
        REQUIRE(fixture.disk.create(name).has_value());
    }

    REQUIRE(fixture.append(line("A", 0)).has_value());

    CHECK(fixture.count() == 5);
}

TEST_CASE("A restart goes on with the newest file and leaves a torn line alone", "[protocol-log]") {
    Fixture fixture;
    REQUIRE(fixture.append(line("A", 0) + "2026-01-05T12:00:00.000Z,A,08").has_value());

    ProtocolLogFiles again("log", fixture.disk);
    REQUIRE(again.append(line("A", 1), fixture.clock.now()).has_value());

    CHECK(fixture.count() == 1);
    CHECK(fixture.text("RECV20260105-1.log").ends_with(",A,08\n" + line("A", 1)));
    CHECK(numbers(again.last("A", 10).value()) == Numbers{0, 1});
}

TEST_CASE("After a full disk the protocol log goes on", "[protocol-log]") {
    for (std::uint64_t step = 1; step < 20; ++step) {
        Fixture fixture;
        REQUIRE(fixture.append(line("A", 0)).has_value());
        fixture.clock.advance(kDay);
        fixture.disk.fail_call(step, Error::disk_full);

        const auto first = fixture.append(line("A", 1));
        if (!fixture.disk.has_failed()) {
            CHECK(step > 3);
            return;
        }
        const auto second = fixture.append(line("A", 2));

        CAPTURE(step);
        CHECK(second.has_value());
        const auto found = numbers(fixture.log.last("", 10).value());
        CHECK(found.front() == 0);
        CHECK(found.back() == 2);
        CHECK(found.size() == (first ? 3U : 2U));
    }
    FAIL("the log never came through");
}

TEST_CASE("The last lines of a connector are found over files and days", "[protocol-log]") {
    Fixture fixture;
    for (int i = 0; i < 6; ++i) {
        REQUIRE(fixture.append(line(i % 2 == 0 ? "A" : "B", i)).has_value());
        fixture.clock.advance(kDay);
    }

    CHECK(numbers(fixture.log.last("A", 10).value()) == Numbers{0, 2, 4});
    CHECK(numbers(fixture.log.last("A", 2).value()) == Numbers{2, 4});
    CHECK(numbers(fixture.log.last("", 3).value()) == Numbers{3, 4, 5});
    CHECK(numbers(fixture.log.last("C", 3).value()).empty());
}

TEST_CASE("The last lines are found behind more than is read at once", "[protocol-log]") {
    Fixture fixture;
    REQUIRE(fixture.append(line("B", 42)).has_value());
    REQUIRE(fixture.append(mebibyte() + mebibyte()).has_value());

    CHECK(numbers(fixture.log.last("B", 1).value()) == Numbers{42});
    CHECK(fixture.log.last("A", 5000).value().lines.size() == ProtocolLogFiles::kMaxLines);
}

TEST_CASE("A cursor meets every later line once", "[protocol-log]") {
    Fixture fixture;
    REQUIRE(fixture.append(line("A", 0)).has_value());
    auto page = fixture.log.last("A", 10).value();
    CHECK(numbers(page) == Numbers{0});

    page = fixture.log.after("A", page.cursor, 10).value();
    CHECK(page.lines.empty());
    CHECK(!page.more);

    REQUIRE(fixture.append(line("A", 1) + line("B", 2) + line("A", 3)).has_value());
    fixture.clock.advance(kDay);
    REQUIRE(fixture.append(line("A", 4)).has_value());
    page = fixture.log.after("A", page.cursor, 2).value();
    CHECK(numbers(page) == Numbers{1, 3});
    CHECK(page.more);
    page = fixture.log.after("A", page.cursor, 2).value();
    CHECK(numbers(page) == Numbers{4});
    CHECK(!page.more);
}

TEST_CASE("A cursor from before the first line, or of a deleted file, goes on", "[protocol-log]") {
    Fixture fixture;
    const auto empty = fixture.log.last("", 10).value();
    REQUIRE(fixture.append(line("A", 0)).has_value());

    CHECK(numbers(fixture.log.after("", empty.cursor, 10).value()) == Numbers{0});
    CHECK(numbers(fixture.log.after("", "RECV20251231-4.log:999", 10).value()) == Numbers{0});
}

TEST_CASE("What is no cursor is refused", "[protocol-log]") {
    Fixture fixture;
    for (const std::string cursor :
         {":",
          "x",
          "RECV20260105-1.log",
          "RECV20260105-1.log:",
          "../../etc/passwd:0",
          "RECV20260105-1.log:-1",
          "RECV20260105-1.log:99999999999999999999"}) {
        CAPTURE(cursor);
        CHECK(fixture.log.after("", cursor, 10).error() == Error::syntax);
    }
}
