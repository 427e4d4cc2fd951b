#include "tests/simulation/sim_day.hpp"

#include "tests/simulation/sim_ledger.hpp"
#include "tests/simulation/sim_runs.hpp"
#include "tests/support/seeded_random.hpp"

#include <catch2/catch.hpp>

namespace mailflow::sim {
namespace {

TEST_CASE("a seed repeats exactly", "[simulation]") {
    const auto first = run_day({3});
    const auto second = run_day({3});
    const auto other = run_day({4});

    CHECK(first.hash == second.hash);
    CHECK(first.counts == second.counts);
    CHECK(first.hash != other.hash);
}

TEST_CASE("a day is full and keeps the promise", "[simulation]") {
    for (const std::uint64_t seed : {5U, 6U}) {
        const auto day = run_day({seed});

        INFO("seed " << seed);
        CHECK(day.violations == std::vector<std::string>{});
        CHECK(day.counts.at("messages") >= 150);
        CHECK(day.counts.at("crashes") >= 3);
        CHECK(day.counts.at("cut connections") >= 20);
        CHECK(day.counts.at("configuration changes") >= 1);
    }
}

TEST_CASE("a day's result crosses a pipe unchanged", "[simulation]") {
    const DayResult day{~0ULL, ~0ULL - 1, {"one\ntwo", "\"three\""}, {{"expiry", 7}}};

    const auto line = to_line(day);
    const auto back = from_line(line);

    CHECK(line.find('\n') == std::string::npos);
    CHECK(back.seed == day.seed);
    CHECK(back.hash == day.hash);
    CHECK(back.violations == day.violations);
    CHECK(back.counts == day.counts);
}

// ---- the ledger notices

struct Book {
    Book() {
        auto& sent = ledger.open("bob@a.test", {"eve@b.test"}, 500, false, random);
        sent.recipients[0].accepted = true;
        sent.fate = Fate::acknowledged;
        text = sent.text;
    }

    std::string report(std::string_view action, std::string_view message_id) const {
        return "Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n"
               "Message-ID: " +
               std::string(message_id) +
               "\r\n\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n"
               "Reporting-MTA: dns; a.test\r\n\r\nFinal-Recipient: rfc822; eve@b.test\r\nAction: " +
               std::string(action) +
               "\r\nStatus: 5.0.0\r\n\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n" + text +
               "\r\n--x--\r\n";
    }

    [[nodiscard]] std::size_t check() {
        ledger.check();
        return ledger.violations().size();
    }

    SeededRandom random;
    Ledger ledger;
    std::string text;
};

TEST_CASE("the ledger is content with a delivery or a report", "[simulation]") {
    Book delivered;
    delivered.ledger.arrived("there", "eve@b.test", "Received: x\r\n" + delivered.text, true);
    CHECK(delivered.check() == 0);

    Book reported;
    const auto report = reported.report("failed", "<1@a.test>");
    reported.ledger.arrived("here", "bob@a.test", report, true);
    reported.ledger.arrived("here", "bob@a.test", report, true);  // the same report again
    CHECK(reported.check() == 0);
    CHECK(reported.ledger.reports() == 1);
}

TEST_CASE("the ledger misses what was acknowledged and did not arrive", "[simulation]") {
    Book nothing;
    CHECK(nothing.check() == 1);

    Book unacknowledged_copy;
    unacknowledged_copy.ledger.arrived("there", "eve@b.test", unacknowledged_copy.text, false);
    CHECK(unacknowledged_copy.check() == 1);

    Book only_delayed;
    only_delayed.ledger.arrived(
        "here", "bob@a.test", only_delayed.report("delayed", "<1@a.test>"), true);
    CHECK(only_delayed.check() == 1);
}

TEST_CASE("the ledger notices partial, altered and stray copies", "[simulation]") {
    Book book;
    const auto cut = book.text.substr(0, book.text.size() - 2);
    auto altered = book.text;
    altered[altered.size() - 5] = '#';

    book.ledger.arrived("there", "eve@b.test", cut, true);
    book.ledger.arrived("there", "eve@b.test", altered, true);
    book.ledger.arrived("there", "mallory@b.test", book.text, true);
    book.ledger.arrived("there", "eve@b.test", "Subject: x\r\n\r\n", true);

    CHECK(book.ledger.violations().size() == 4);
}

TEST_CASE("the ledger notices reports that must not be", "[simulation]") {
    Book twice;
    twice.ledger.arrived("here", "bob@a.test", twice.report("failed", "<1@a.test>"), true);
    twice.ledger.arrived("here", "bob@a.test", twice.report("failed", "<2@a.test>"), true);
    CHECK(twice.ledger.violations().size() == 1);

    Book astray;
    astray.ledger.arrived("here", "eve@b.test", astray.report("failed", "<1@a.test>"), true);
    CHECK(astray.ledger.violations().size() == 1);

    Book to_null;
    to_null.ledger.at(0).sender.clear();
    to_null.ledger.arrived("here", "bob@a.test", to_null.report("failed", "<1@a.test>"), true);
    CHECK(to_null.ledger.violations().size() == 1);
}

}  // namespace
}  // namespace mailflow::sim
