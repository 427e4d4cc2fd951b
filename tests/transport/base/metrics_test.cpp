#include "transport/base/metrics.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <thread>

using namespace mailflow;

TEST_CASE("A handle counts what the text then shows", "[metrics]") {
    Metrics metrics;
    auto tls =
        metrics.counter("mailflow_receive_tls_total", {{"version", "TLSv1.3"}, {"cipher", "X"}});
    auto sessions = metrics.gauge("mailflow_receive_sessions");
    auto lag = metrics.histogram("mailflow_lane_lag_seconds", {0.1, 1}, {{"lane", "0"}});

    tls.add();
    tls.add(41);
    sessions.add(3);
    sessions.add(-1);
    lag.observe(0.5);

    const auto text = metrics.text();
    CHECK(
        text.find("# HELP mailflow_receive_sessions SMTP sessions open now.\n") !=
        std::string::npos);
    CHECK(text.find("# TYPE mailflow_receive_tls_total counter\n") != std::string::npos);
    CHECK(
        text.find("mailflow_receive_tls_total{cipher=\"X\",version=\"TLSv1.3\"} 42\n") !=
        std::string::npos);
    CHECK(text.find("mailflow_receive_sessions 2\n") != std::string::npos);
    CHECK(
        text.find("mailflow_lane_lag_seconds_bucket{lane=\"0\",le=\"0.1\"} 0\n") !=
        std::string::npos);
    CHECK(
        text.find("mailflow_lane_lag_seconds_bucket{lane=\"0\",le=\"1\"} 1\n") !=
        std::string::npos);
    CHECK(text.find("mailflow_lane_lag_seconds_count{lane=\"0\"} 1\n") != std::string::npos);
}

TEST_CASE("The same labels give the same counter, also to other threads", "[metrics]") {
    Metrics metrics;
    const auto count = [&metrics] {
        auto counter = metrics.counter("mailflow_receive_messages_total");
        for (int i = 0; i < 10000; ++i) {
            counter.add();
        }
    };

    std::thread other(count);
    count();
    other.join();

    CHECK(metrics.counter("mailflow_receive_messages_total").value() == 20000);
}

TEST_CASE("A label's value cannot break the text", "[metrics]") {
    Metrics metrics;

    metrics.counter("mailflow_receive_refusals_total", {{"reason", "a\"b\n\\c"}}).add();

    CHECK(
        metrics.text().find("mailflow_receive_refusals_total{reason=\"a\\\"b\\n\\\\c\"} 1\n") !=
        std::string::npos);
}

TEST_CASE("What the table does not have cannot be counted", "[metrics]") {
    Metrics metrics;

    CHECK_THROWS_AS(metrics.counter("mailflow_nonsense_total"), std::logic_error);
    CHECK_THROWS_AS(metrics.counter("mailflow_receive_sessions"), std::logic_error);
    CHECK_THROWS_AS(metrics.gauge("mailflow_receive_sessions", {{"x", "y"}}), std::logic_error);
    CHECK_THROWS_AS(metrics.counter("mailflow_receive_tls_total"), std::logic_error);
}

TEST_CASE("A handle that was not looked up counts nothing", "[metrics]") {
    Counter counter;
    Gauge gauge;
    Histogram histogram;

    counter.add();
    gauge.set(1);
    histogram.observe(1);

    CHECK(counter.value() == 0);
    CHECK(gauge.value() == 0);
}

TEST_CASE("The table of metrics is sorted and named as Prometheus wants", "[metrics]") {
    const auto infos = metric_infos();

    CHECK(std::is_sorted(
        infos.begin(), infos.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
    for (const auto& info : infos) {
        CAPTURE(info.name);
        CHECK(info.name.starts_with("mailflow_"));
        CHECK(info.name.ends_with("_total") == (info.kind == MetricKind::counter));
        CHECK(info.help.ends_with("."));
    }
}

TEST_CASE("docs/operations.md lists every metric and no other", "[metrics]") {
    std::ifstream file("docs/operations.md");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    std::set<std::string> listed;
    for (auto at = text.find("`mailflow_"); at != std::string::npos;
         at = text.find("`mailflow_", at + 1)) {
        listed.insert(text.substr(at + 1, text.find('`', at + 1) - at - 1));
    }

    std::set<std::string> wanted;
    for (const auto& info : metric_infos()) {
        wanted.insert(std::string(info.name));
    }

    CHECK(listed == wanted);
}
