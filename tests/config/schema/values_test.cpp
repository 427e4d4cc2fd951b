#include "config/schema/values.hpp"

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow::schema {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

struct Written {
    std::string text;
    std::optional<std::uint64_t> value;
};

Field field_of(ValueKind kind) {
    Field field;
    field.name = "field";
    field.kind = kind;
    return field;
}

std::string canonical(const Field& field, const json::value& value) {
    const auto checked = check_value(field, value);
    return checked.ok() ? json::serialize(checked.value) : "refused";
}

}  // namespace

TEST_CASE("sizes are written with 1024-based units", "[config][schema]") {
    const std::vector<Written> table = {
        {"0", 0},
        {"1500", 1500},
        {"64 KB", 65536},
        {"64kb", 65536},
        {" 36 MB ", 36ULL << 20},
        {"2GB", 2ULL << 30},
        {"7 B", 7},
        {"", {}},
        {"MB", {}},
        {"-1 KB", {}},
        {"1.5 MB", {}},
        {"12 XB", {}},
        {"1 KB 2", {}},
        {"99999999999 GB", {}},
        {"unlimited", {}},
    };
    for (const auto& row : table) {
        INFO(row.text);
        CHECK(parse_size(row.text) == row.value);
    }
}

TEST_CASE("a size is shown in the largest unit that divides it", "[config][schema]") {
    CHECK(format_size(0) == "0 B");
    CHECK(format_size(1500) == "1500 B");
    CHECK(format_size(65536) == "64 KB");
    CHECK(format_size(36ULL << 20) == "36 MB");
    CHECK(format_size(1ULL << 30) == "1 GB");
    for (const std::uint64_t octets : {1ULL, 1023ULL, 1024ULL, 2147483647ULL, 2147482624ULL}) {
        CHECK(parse_size(format_size(octets)) == octets);
    }
}

TEST_CASE("times are written with units or as hours, minutes and seconds", "[config][schema]") {
    struct Row {
        std::string text;
        std::optional<std::chrono::milliseconds> value;
    };

    const std::vector<Row> table = {
        {"0", 0ms},
        {"500ms", 500ms},
        {"90s", 90s},
        {"10m", 10min},
        {"10 m", 10min},
        {"4h", 4h},
        {"2d", 48h},
        {"00:00:05", 5s},
        {"01:30:00", 90min},
        {"1.00:00:00", 24h},
        {"5", {}},
        {"", {}},
        {"s", {}},
        {"10 minutes", {}},
        {"00:60:00", {}},
        {"00:00", {}},
        {"1:2:3:4", {}},
        {"-5s", {}},
        {"99999999999999999d", {}},
    };
    for (const auto& row : table) {
        INFO(row.text);
        CHECK(parse_duration(row.text) == row.value);
    }
}

TEST_CASE("a time is shown in the largest unit that divides it", "[config][schema]") {
    CHECK(format_duration(0ms) == "0s");
    CHECK(format_duration(500ms) == "500ms");
    CHECK(format_duration(90s) == "90s");
    CHECK(format_duration(600s) == "10m");
    CHECK(format_duration(24h * 5) == "5d");
}

TEST_CASE("every kind of value has one canonical form", "[config][schema]") {
    auto number = field_of(ValueKind::integer);
    number.minimum = 1;
    number.maximum = 100;
    number.may_be_unlimited = true;
    auto size = field_of(ValueKind::size);
    size.minimum = 65536;
    size.maximum = 2147483647;
    auto time = field_of(ValueKind::duration);
    time.maximum = 600000;
    auto choice = field_of(ValueKind::choice);
    choice.choices = {"mx", "smart-hosts"};
    const auto yes_or_no = field_of(ValueKind::boolean);
    const auto endpoint = field_of(ValueKind::endpoint);
    const auto range = field_of(ValueKind::ip_range);
    const auto text = field_of(ValueKind::text);
    const auto domain = field_of(ValueKind::domain);

    struct Row {
        const Field& field;
        json::value written;
        std::string canonical;
    };

    const std::vector<Row> table = {
        {number, 5, "5"},
        {number, "5", "5"},
        {number, " 100 ", "100"},
        {number, "Unlimited", "\"unlimited\""},
        {number, 0, "refused"},
        {number, 101, "refused"},
        {number, -1, "refused"},
        {number, 1.5, "refused"},
        {number, true, "refused"},
        {size, "64KB", "\"64 KB\""},
        {size, 65536, "\"64 KB\""},
        {size, "63 KB", "refused"},
        {size, "2 GB", "refused"},
        {size, "unlimited", "refused"},
        {time, "00:00:05", "\"5s\""},
        {time, "600s", "\"10m\""},
        {time, "11m", "refused"},
        {time, 5, "refused"},
        {choice, "MX", "\"mx\""},
        {choice, "smart_hosts", "\"smart-hosts\""},
        {choice, "smarthosts", "refused"},
        {yes_or_no, true, "true"},
        {yes_or_no, "no", "false"},
        {yes_or_no, "maybe", "refused"},
        {yes_or_no, 1, "refused"},
        {endpoint, "127.0.0.1:25", "\"127.0.0.1:25\""},
        {endpoint, "[::]:0", "\"[::]:0\""},
        {endpoint, "127.0.0.1", "refused"},
        {endpoint, "127.0.0.1:65536", "refused"},
        {endpoint, "localhost:25", "refused"},
        {range, "10.0.0.0/8", "\"10.0.0.0/8\""},
        {range, "10.0.0.1-10.0.0.9", "\"10.0.0.1-10.0.0.9\""},
        {range, "10.0.0.1/8", "refused"},
        {range, "10.0.0.9-10.0.0.1", "refused"},
        {text, " a b ", "\"a b\""},
        {text, "a\nb", "refused"},
        {text, json::string(1025, 'x'), "refused"},
        {domain, "mail.contoso.com", "\"mail.contoso.com\""},
        {domain, "mail contoso", "refused"},
        {text, json::array{"a"}, "refused"},
        {text, json::object{}, "refused"},
    };
    for (const auto& row : table) {
        INFO(describe_values(row.field) << ", given " << json::serialize(row.written));
        CHECK(canonical(row.field, row.written) == row.canonical);
    }
}

TEST_CASE("a refusal says what was written and what is allowed", "[config][schema]") {
    auto size = field_of(ValueKind::size);
    size.minimum = 65536;
    size.maximum = 2147483647;
    size.may_be_unlimited = true;
    auto choice = field_of(ValueKind::choice);
    choice.choices = {"mx", "smart-hosts"};

    const auto size_problem = check_value(size, "12 XB").problem;
    const auto choice_problem = check_value(choice, "smarthosts").problem;

    CHECK(
        size_problem ==
        "\"12 XB\" is not allowed: write a size with B, KB, MB or GB from 64 KB to 2147483647 B, "
        "or unlimited");
    CHECK(
        choice_problem ==
        "\"smarthosts\" is not allowed: write mx or smart-hosts; did you mean \"smart-hosts\"?");
}

}  // namespace mailflow::schema
