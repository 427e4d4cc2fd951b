#include "server/ctl/output.hpp"

#include "config/schema/values.hpp"
#include "server/ctl/arguments.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace mailflow::ctl {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxColumn = 60;

std::string cell(const json::object& row, const std::string& key) {
    const auto* value = row.if_contains(key);
    return value == nullptr || value->is_null() ? std::string() : schema::value_text(*value);
}

// Of a long list the first two, and how many more there are.
std::string table_cell(const json::object& row, const std::string& key) {
    constexpr std::size_t kShown = 2;
    const auto* value = row.if_contains(key);
    const auto* list = value == nullptr ? nullptr : value->if_array();
    if (list == nullptr || list->size() <= kShown + 1) {
        return cell(row, key);
    }
    const json::array first(list->begin(), list->begin() + kShown);
    return schema::value_text(first) + ", +" + std::to_string(list->size() - kShown);
}

// Characters, not octets: enough for names in UTF-8.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

std::string shortened(const std::string& text) {
    if (width(text) <= kMaxColumn) {
        return text;
    }
    std::size_t end = 0;
    for (std::size_t characters = 0; end < text.size(); ++end) {
        characters += (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80U ? 1 : 0;
        if (characters == kMaxColumn) {
            break;
        }
    }
    return text.substr(0, end) + "…";
}

std::string csv_cell(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) {
        return text;
    }
    std::string quoted = "\"";
    for (const char c : text) {
        quoted += c;
        if (c == '"') {
            quoted += '"';
        }
    }
    return quoted + '"';
}

std::string print_csv(const json::array& rows, const std::vector<Column>& columns) {
    std::string text;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        text += (i == 0 ? "" : ",") + csv_cell(columns[i].key);
    }
    text += "\n";
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < columns.size(); ++i) {
            text += (i == 0 ? "" : ",") + csv_cell(cell(row.as_object(), columns[i].key));
        }
        text += "\n";
    }
    return text;
}

std::vector<std::size_t> widths_of(const json::array& rows, const std::vector<Column>& columns) {
    std::vector<std::size_t> widths;
    for (const auto& column : columns) {
        std::size_t widest = width(column.title);
        for (const auto& row : rows) {
            widest = std::max(widest, width(shortened(table_cell(row.as_object(), column.key))));
        }
        widths.push_back(widest);
    }
    return widths;
}

std::string print_table(
    const json::array& rows,
    const std::vector<Column>& columns,
    const std::vector<std::size_t>& widths) {
    std::string text;
    const auto add = [&text, &widths](std::size_t index, const std::string& value) {
        text += value;
        if (index + 1 < widths.size()) {
            const auto own = width(value);
            text.append((widths[index] > own ? widths[index] - own : 0) + 2, ' ');
        } else {
            text += "\n";
        }
    };
    for (std::size_t i = 0; i < columns.size(); ++i) {
        add(i, columns[i].title);
    }
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const auto value = table_cell(row.as_object(), columns[i].key);
            add(i, i + 1 < columns.size() ? shortened(value) : value);
        }
    }
    return text;
}

void append_pretty(const json::value& value, std::size_t indent, std::string& out) {
    const std::string inner(indent + 2, ' ');
    if (value.is_object() && !value.get_object().empty()) {
        out += "{\n";
        bool first = true;
        for (const auto& [key, member] : value.get_object()) {
            out += (first ? "" : ",\n") + inner + json::serialize(json::string(key)) + ": ";
            append_pretty(member, indent + 2, out);
            first = false;
        }
        out += "\n" + std::string(indent, ' ') + "}";
    } else if (value.is_array() && !value.get_array().empty()) {
        out += "[\n";
        bool first = true;
        for (const auto& element : value.get_array()) {
            out += (first ? "" : ",\n") + inner;
            append_pretty(element, indent + 2, out);
            first = false;
        }
        out += "\n" + std::string(indent, ' ') + "]";
    } else {
        out += json::serialize(value);
    }
}

struct Condition {
    std::string field;
    std::string op;
    std::string value;
};

Condition parse_condition(const std::string& text) {
    static constexpr std::array<std::string_view, 7> kOperators = {
        "!=", "<=", ">=", "=", "<", ">", "~"};
    std::size_t at = std::string::npos;
    std::string_view op;
    for (const auto candidate : kOperators) {
        const auto found = text.find(candidate);
        if (found < at ||
            (found == at && found != std::string::npos && candidate.size() > op.size())) {
            at = found;
            op = candidate;
        }
    }
    if (at == std::string::npos) {
        throw UsageError(
            "--where '" + text + "': write FIELD OP VALUE with one of = != < <= > >= ~ (contains)");
    }
    const std::string_view all = text;
    return {
        std::string(ascii::trimmed(all.substr(0, at))),
        std::string(op),
        std::string(ascii::trimmed(all.substr(at + op.size())))};
}

std::optional<double> number(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) {
        return value;
    }
    if (const auto size = schema::parse_size(text)) {
        return static_cast<double>(*size);
    }
    return std::nullopt;
}

bool holds(const Condition& condition, const std::string& actual) {
    if (condition.op == "~") {
        return ascii::to_lower(actual).find(ascii::to_lower(condition.value)) != std::string::npos;
    }
    const auto a = number(actual);
    const auto b = number(condition.value);
    int order = 0;
    if (a && b) {
        order = *a < *b ? -1 : (*a > *b ? 1 : 0);
    } else {
        order = ascii::to_lower(actual).compare(ascii::to_lower(condition.value));
    }
    if (condition.op == "=") {
        return order == 0;
    }
    if (condition.op == "!=") {
        return order != 0;
    }
    if (condition.op == "<") {
        return order < 0;
    }
    if (condition.op == "<=") {
        return order <= 0;
    }
    return condition.op == ">" ? order > 0 : order >= 0;
}

}  // namespace

std::string print_rows(
    const json::array& rows,
    const std::vector<Column>& columns,
    Format format,
    std::vector<std::size_t>* widths) {
    switch (format) {
        case Format::json: return pretty_json(rows);
        case Format::csv: return print_csv(rows, columns);
        case Format::table: break;
    }
    if (widths == nullptr) {
        return print_table(rows, columns, widths_of(rows, columns));
    }
    if (widths->empty()) *widths = widths_of(rows, columns);
    return print_table(rows, columns, *widths);
}

std::string print_object(const json::object& object, Format format) {
    if (format == Format::json) {
        return pretty_json(object);
    }
    if (format == Format::csv) {
        std::vector<Column> columns;
        for (const auto& [key, value] : object) {
            columns.push_back({std::string(key), std::string(key)});
        }
        return print_csv(json::array{object}, columns);
    }
    std::size_t widest = 0;
    for (const auto& [key, value] : object) {
        widest = std::max(widest, key.size());
    }
    std::string text;
    for (const auto& [key, value] : object) {
        text += fmt::format(
            "{:<{}}  {}\n",
            std::string_view(key),
            widest,
            value.is_null() ? "" : schema::value_text(value));
    }
    return text;
}

std::string pretty_json(const json::value& value) {
    std::string text;
    append_pretty(value, 0, text);
    return text + "\n";
}

json::array filtered(const json::array& rows, const std::string& condition_text) {
    const auto condition = parse_condition(condition_text);
    json::array kept;
    for (const auto& row : rows) {
        if (!rows.front().as_object().contains(condition.field)) {
            throw UsageError("--where: there is no field \"" + condition.field + "\" here");
        }
        if (holds(condition, cell(row.as_object(), condition.field))) {
            kept.push_back(row);
        }
    }
    return kept;
}

std::string size_text(double octets) {
    static constexpr std::array<std::string_view, 4> kUnits = {"B", "KB", "MB", "GB"};
    std::size_t unit = 0;
    while (octets >= 1024 && unit + 1 < kUnits.size()) {
        octets /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{:.0f} B", octets)
                     : fmt::format("{:.1f} {}", octets, kUnits[unit]);
}

}  // namespace mailflow::ctl
