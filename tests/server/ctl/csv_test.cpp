#include "server/ctl/csv.hpp"

#include "server/ctl/client.hpp"

#include <catch2/catch.hpp>

#include <sstream>
#include <string>
#include <vector>

namespace mailflow::ctl {

namespace {

using Fields = std::vector<std::string>;

std::vector<Fields> read(const std::string& text) {
    std::istringstream in(text);
    CsvReader reader(in);
    std::vector<Fields> records;
    for (Fields fields; reader.next(fields);)
        records.push_back(fields);
    return records;
}

}  // namespace

TEST_CASE("records are read as RFC 4180 writes them", "[ctl][csv]") {
    struct Case {
        std::string text;
        std::vector<Fields> records;
    };

    const std::vector<Case> cases = {
        {"", {}},
        {"a,b\r\nc,d\r\n", {{"a", "b"}, {"c", "d"}}},
        {"a,b\nc,d", {{"a", "b"}, {"c", "d"}}},
        {"\xEF\xBB\xBF"
         "a,b\n",
         {{"a", "b"}}},
        {"\xEF\xBB\xBF\"a\",b\n", {{"a", "b"}}},
        {"\"a,b\",\"say \"\"hi\"\"\"\r\n", {{"a,b", "say \"hi\""}}},
        {"\"two\r\nlines\",x\r\n", {{"two\r\nlines", "x"}}},
        {",\n", {{"", ""}}},
        {"\"\"\n", {{""}}},
        {"a\n\n\nb\n", {{"a"}, {"b"}}},
        {"a\"b,c\n", {{"a\"b", "c"}}},
    };
    for (const auto& row : cases) {
        CAPTURE(row.text);
        CHECK(read(row.text) == row.records);
    }
}

TEST_CASE("what is no record is refused with its number", "[ctl][csv]") {
    CHECK_THROWS_WITH(
        read("a\n\"b"), Catch::Contains("row 2: a quoted field has no closing quote"));
    CHECK_THROWS_WITH(read("\"a\"b\n"), Catch::Contains("row 1: there is something behind"));
    CHECK_THROWS_WITH(
        read(std::string(kMaxCsvField + 1, 'x')), Catch::Contains("row 1: is too large"));
    CHECK_THROWS_WITH(
        read(std::string(kMaxCsvFields, ',')), Catch::Contains("more than 256 fields"));
}

TEST_CASE("fields and lists come back as they were written", "[ctl][csv]") {
    for (const std::string text : {"", "a", " a", "a,b", "\"", "a\r\nb", "x;y\\"}) {
        CHECK(read("x," + csv_field(text) + "\r\n") == std::vector<Fields>{{"x", text}});
    }
    const Fields list = {"a;b", "c\\d", "e"};
    CHECK(joined_list(list) == "a\\;b;c\\\\d;e");
    CHECK(split_list(joined_list(list)) == list);
    CHECK(split_list(" a ; ;b") == Fields{"a", "b"});
    CHECK(split_list("").empty());
}

TEST_CASE("UTF-8 is told from what is none", "[ctl][csv]") {
    for (const std::string text : {"", "abc", "\xC3\xB6", "\xE2\x82\xAC", "\xF0\x9F\x93\xA7"}) {
        CHECK(is_utf8(text));
    }
    for (const std::string text :
         {"\xF6", "\xC3", "\xC0\x80", "\xED\xA0\x80", "\xE0\x80\x80", "\xF4\x90\x80\x80", "\x80"}) {
        CHECK_FALSE(is_utf8(text));
    }
}

}  // namespace mailflow::ctl
