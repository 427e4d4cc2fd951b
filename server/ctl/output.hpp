// What smtpctl prints: tables for people, JSON and CSV for programs. Pure functions to text.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace mailflow::ctl {

enum class Format { table, json, csv };

struct Column {
    std::string key;  // member of the row's object
    std::string title;
};

// Rows are JSON objects. A table has a header line and two blanks between columns; nothing wider
// than 60 characters but the last column. JSON is the array as the daemon gave it. `widths`, when
// given, are those of the table before; empty ones are filled in.
[[nodiscard]] std::string print_rows(
    const boost::json::array& rows,
    const std::vector<Column>& columns,
    Format format,
    std::vector<std::size_t>* widths = nullptr);
// One object: `title: value` lines, or JSON; CSV is a header and one row.
[[nodiscard]] std::string print_object(const boost::json::object& object, Format format);
// Indented JSON with a line end.
[[nodiscard]] std::string pretty_json(const boost::json::value& value);
// `field op value`; op is = != < <= > >= or ~ (contains, without case). Throws UsageError.
[[nodiscard]] boost::json::array filtered(
    const boost::json::array& rows, const std::string& condition);
// Octets as people read them: `4.1 KB`.
[[nodiscard]] std::string size_text(double octets);

}  // namespace mailflow::ctl
