#include "server/ctl/recipient_file.hpp"

#include "config/schema/suggestion.hpp"
#include "config/schema/values.hpp"
#include "server/ctl/client.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace mailflow::ctl {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 3> kKinds = {"mailbox", "contact", "group"};
// Columns that are no fields of the schema.
constexpr std::array<std::string_view, 3> kOwnColumns = {"name", "kind", "scram_verifier"};
// What lists show and nobody sets.
constexpr std::array<std::string_view, 3> kShownOnly = {"password_set", "primary", "member_count"};
// An empty cell leaves these as they are: they cannot be none.
constexpr std::array<std::string_view, 9> kNeverEmpty = {
    "name",
    "kind",
    "alias",
    "display_name",
    "addresses",
    "upn",
    "external_address",
    "password",
    "scram_verifier"};
constexpr std::size_t kMaxJsonObject = 12UL * 1024 * 1024;

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

const schema::Field* field_of(std::string_view kind, std::string_view name) {
    const auto* type = schema::find_type(kind);
    return type == nullptr ? nullptr : schema::find_field(*type, name);
}

bool is_column(std::string_view name) {
    return contains(kOwnColumns, name) || contains(kShownOnly, name) ||
           std::any_of(kKinds.begin(), kKinds.end(), [name](std::string_view kind) {
               return field_of(kind, name) != nullptr;
           });
}

std::string column_name(std::string_view written) {
    auto name = ascii::to_lower(ascii::trimmed(written));
    std::replace(name.begin(), name.end(), '-', '_');
    std::replace(name.begin(), name.end(), ' ', '_');
    return name;
}

[[noreturn]] void unknown_column(const std::string& name) {
    std::vector<std::string_view> names(kOwnColumns.begin(), kOwnColumns.end());
    for (const auto kind : kKinds) {
        for (const auto& field : schema::find_type(kind)->fields)
            names.push_back(field.name);
    }
    throw Failure(
        "no recipient has a column \"" + ascii::escaped(name) + "\"" +
        schema::did_you_mean(name, names));
}

class CsvRecipients final : public RecipientFile {
  public:
    CsvRecipients(std::ifstream in, std::string_view kind)
        : in_(std::move(in))
        , reader_(in_)
        , kind_(kind) {
        std::vector<std::string> header;
        if (!reader_.next(header)) {
            throw Failure("the file is empty: its first row names the columns");
        }
        for (const auto& written : header) {
            columns_.push_back(column_name(written));
            if (!is_column(columns_.back())) unknown_column(columns_.back());
        }
        if (std::find(columns_.begin(), columns_.end(), "name") == columns_.end()) {
            throw Failure("there is no column \"name\"");
        }
    }

    bool next(RecipientRow& row) override {
        row = RecipientRow();
        if (!reader_.next(cells_)) {
            return false;
        }
        row.number = reader_.number();
        if (cells_.size() > columns_.size()) {
            row.problems.push_back("has more fields than the header");
            cells_.resize(columns_.size());
        }
        const auto kind = kind_of_row();
        for (std::size_t i = 0; i < cells_.size(); ++i) {
            row.size += cells_[i].size() + columns_[i].size();
            add(row, columns_[i], cells_[i], kind);
        }
        return true;
    }

  private:
    [[nodiscard]] std::string kind_of_row() const {
        for (std::size_t i = 0; i < cells_.size(); ++i) {
            if (columns_[i] == "kind" && !ascii::trimmed(cells_[i]).empty()) {
                return ascii::to_lower(ascii::trimmed(cells_[i]));
            }
        }
        return std::string(kind_);
    }

    static void add(
        RecipientRow& row,
        const std::string& column,
        const std::string& cell,
        const std::string& kind) {
        if (!is_utf8(cell)) {
            row.problems.push_back(column + ": is not UTF-8");
            return;
        }
        const bool empty = ascii::trimmed(cell).empty();
        const auto* field = field_of(kind, column);
        if (contains(kShownOnly, column) || (empty && contains(kNeverEmpty, column)) ||
            (empty && field == nullptr)) {
            return;
        }
        if (field != nullptr && field->kind == schema::ValueKind::secret && cell == "none") {
            row.fields[column] = nullptr;
        } else if (field != nullptr && field->list) {
            json::array list;
            for (const auto& element : split_list(cell))
                list.emplace_back(element);
            row.fields[column] = std::move(list);
        } else if (empty) {
            row.fields[column] = nullptr;
        } else {
            row.fields[column] = cell;
        }
    }

    std::ifstream in_;
    CsvReader reader_;
    std::string kind_;
    std::vector<std::string> columns_;
    std::vector<std::string> cells_;
};

class JsonRecipients final : public RecipientFile {
  public:
    explicit JsonRecipients(std::ifstream in)
        : in_(std::move(in)) {}

    bool next(RecipientRow& row) override {
        row = RecipientRow();
        auto text = next_object();
        if (text.empty()) {
            return false;
        }
        row.number = ++number_;
        row.size = text.size();
        boost::system::error_code error;
        auto value = json::parse(text, error);
        if (error || !value.is_object()) {
            row.problems.push_back("is no JSON object: " + error.message());
            return true;
        }
        row.fields = std::move(value.get_object());
        for (const auto name : kShownOnly)
            row.fields.erase(name);
        return true;
    }

  private:
    // The text of the next object; empty at the end.
    std::string next_object() {
        std::string text;
        std::size_t depth = 0;
        bool in_string = false;
        for (auto c = in_.rdbuf()->sbumpc(); c != std::char_traits<char>::eof();
             c = in_.rdbuf()->sbumpc()) {
            if (depth == 0 && c != '{') {
                check_between(static_cast<char>(c));
                continue;
            }
            text.push_back(static_cast<char>(c));
            if (text.size() > kMaxJsonObject) {
                throw Failure("object " + std::to_string(number_ + 1) + " is larger than 12 MB");
            }
            if (in_string) {
                if (c == '\\') {
                    const auto escaped = in_.rdbuf()->sbumpc();
                    if (escaped != std::char_traits<char>::eof()) {
                        text.push_back(static_cast<char>(escaped));
                    }
                }
                in_string = c != '"';
            } else if (c == '"') {
                in_string = true;
            } else if (c == '{' || c == '[') {
                ++depth;
            } else if ((c == '}' || c == ']') && --depth == 0) {
                return text;
            }
        }
        if (depth > 0) {
            throw Failure("object " + std::to_string(number_ + 1) + " does not end");
        }
        return {};
    }

    void check_between(char c) const {
        constexpr std::string_view kAllowed = " \t\r\n,[]\xEF\xBB\xBF";
        if (kAllowed.find(c) == std::string_view::npos) {
            throw Failure(
                "behind object " + std::to_string(number_) +
                " comes something that is no object: write an array of objects");
        }
    }

    std::ifstream in_;
    std::uint64_t number_ = 0;
};

}  // namespace

std::unique_ptr<RecipientFile> open_recipients(const std::string& path, std::string_view kind) {
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw Failure(path + " cannot be read: " + std::generic_category().message(errno));
    }
    if (ascii::to_lower(path).ends_with(".json")) {
        return std::make_unique<JsonRecipients>(std::move(in));
    }
    return std::make_unique<CsvRecipients>(std::move(in), kind);
}

std::vector<std::string> export_columns(
    const std::vector<std::string_view>& kinds, bool with_secrets) {
    std::vector<std::string> columns = {"name", "kind"};
    for (const auto kind : kinds) {
        for (const auto& field : schema::find_type(kind)->fields) {
            const bool known =
                std::find(columns.begin(), columns.end(), field.name) != columns.end();
            if (!known && !field.read_only && field.kind != schema::ValueKind::secret) {
                columns.emplace_back(field.name);
            }
        }
    }
    if (with_secrets) columns.emplace_back("scram_verifier");
    return columns;
}

std::string export_line(const json::object& row, const std::vector<std::string>& columns) {
    std::string line;
    for (const auto& column : columns) {
        if (&column != &columns.front()) line += ',';
        const auto* value = row.if_contains(column);
        if (value == nullptr || value->is_null()) continue;
        if (const auto* list = value->if_array()) {
            std::vector<std::string> elements;
            for (const auto& element : *list)
                elements.push_back(schema::value_text(element));
            line += csv_field(joined_list(elements));
        } else {
            line += csv_field(schema::value_text(*value));
        }
    }
    return line + "\r\n";
}

}  // namespace mailflow::ctl
