#include "server/ctl/output.hpp"

#include "server/ctl/arguments.hpp"
#include "server/ctl/time_text.hpp"
#include "server/ctl/url.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

using namespace mailflow::ctl;
namespace json = boost::json;

namespace {

json::array connectors() {
    return {
        json::object{
            {"name", "Internet"}, {"port", 25}, {"address_spaces", json::array{"smtp:*;1"}}},
        json::object{{"name", "Größe"}, {"port", 2525}, {"address_spaces", json::array{"a", "b"}}}};
}

const std::vector<Column> kColumns = {
    {"name", "Name"}, {"port", "Port"}, {"address_spaces", "Spaces"}};

}  // namespace

TEST_CASE("A table lines its columns up, counting characters and not octets", "[ctl][output]") {
    CHECK(
        print_rows(connectors(), kColumns, Format::table) ==
        "Name      Port  Spaces\n"
        "Internet  25    smtp:*;1\n"
        "Größe     2525  a, b\n");
}

TEST_CASE("A table shows the beginning of a long list, and how long it is", "[ctl][output]") {
    const json::array rows = {
        json::object{{"name", "A"}, {"ranges", json::array{"a", "b", "c"}}},
        json::object{{"name", "B"}, {"ranges", json::array{"a", "b", "c", "d"}}}};
    const std::vector<Column> columns = {{"name", "Name"}, {"ranges", "Ranges"}};

    CHECK(
        print_rows(rows, columns, Format::table) ==
        "Name  Ranges\nA     a, b, c\nB     a, b, +2\n");
    CHECK(
        print_rows(rows, columns, Format::csv) == "name,ranges\nA,\"a, b, c\"\nB,\"a, b, c, d\"\n");
}

TEST_CASE("CSV quotes what needs it", "[ctl][output]") {
    const json::array rows = {json::object{{"name", "a \"b\", c"}, {"port", nullptr}}};

    CHECK(
        print_rows(rows, {{"name", ""}, {"port", ""}}, Format::csv) ==
        "name,port\n\"a \"\"b\"\", c\",\n");
}

TEST_CASE("JSON output is an array of what the daemon gave", "[ctl][output]") {
    const auto text = print_rows(connectors(), kColumns, Format::json);

    CHECK(json::parse(text) == json::value(connectors()));
}

TEST_CASE("An object is shown a field a line", "[ctl][output]") {
    CHECK(
        print_object(json::object{{"name", "A"}, {"enabled", true}}, Format::table) ==
        "name     A\nenabled  true\n");
}

TEST_CASE("--where compares numbers, sizes and text", "[ctl][output]") {
    struct Row {
        const char* condition;
        std::size_t expected;
    };

    const auto row = GENERATE(
        Row{"port = 25", 1},
        Row{"port > 25", 1},
        Row{"port>=25", 2},
        Row{"port != 25", 1},
        Row{"port < 25", 0},
        Row{"port <= 25", 1},
        Row{"name = internet", 1},
        Row{"name ~ NTER", 1},
        Row{"address_spaces ~ smtp", 1});

    CHECK(filtered(connectors(), row.condition).size() == row.expected);
}

TEST_CASE("--where says what is wrong with a condition", "[ctl][output]") {
    CHECK_THROWS_AS(filtered(connectors(), "port"), UsageError);
    CHECK_THROWS_WITH(filtered(connectors(), "colour = red"), Catch::Contains("colour"));
}

TEST_CASE("Sizes are shown in the unit people read", "[ctl][output]") {
    CHECK(size_text(512) == "512 B");
    CHECK(size_text(4200) == "4.1 KB");
    CHECK(size_text(36.0 * 1024 * 1024) == "36.0 MB");
}

TEST_CASE("Names in URLs are encoded octet by octet", "[ctl][url]") {
    CHECK(encoded("Default Frontend a/b?") == "Default%20Frontend%20a%2fb%3f");
    std::string target = "/v1/messages";
    add_parameter(target, "queue", "dns|contoso.com|Internet");
    add_parameter(target, "limit", "");
    add_parameter(target, "sender", "<>");
    CHECK(target == "/v1/messages?queue=dns%7ccontoso.com%7cInternet&sender=%3c%3e");
}

TEST_CASE("A date stands for its midnight and nonsense is refused", "[ctl][time]") {
    CHECK(absolute_time("2026-11-23") == "2026-11-23T00:00:00Z");
    CHECK(absolute_time("2026-11-23T08:40:16Z") == "2026-11-23T08:40:16Z");
    CHECK(absolute_time("2h").size() == 20);
    CHECK_THROWS_AS(absolute_time("yesterday"), UsageError);
}
