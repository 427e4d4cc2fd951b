#include "config/schema/help.hpp"

#include "config/schema/values.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace mailflow::schema {

namespace {

std::string default_text(const Field& field) {
    if (!field.default_note.empty()) {
        return std::string(field.default_note);
    }
    std::string text;
    for (const auto element : field.defaults) {
        if (!text.empty()) text += ", ";
        text += element;
    }
    return text;
}

constexpr std::size_t kHelpColumn = 38;

std::string help_line(const std::string& flag, const std::string& text) {
    auto line = "  " + flag;
    if (line.size() + 1 >= kHelpColumn) {
        return line + "\n" + std::string(kHelpColumn, ' ') + text + "\n";
    }
    line.resize(kHelpColumn, ' ');
    return line + text + "\n";
}

}  // namespace

std::string placeholder(const Field& field) {
    switch (field.kind) {
        case ValueKind::text: return "TEXT";
        case ValueKind::boolean: return "true|false";
        case ValueKind::integer: return "NUMBER";
        case ValueKind::size: return "SIZE";
        case ValueKind::duration: return "TIME";
        case ValueKind::choice:
            return field.choices.size() > 4 ? "WORD" : [&field] {
                std::string text;
                for (const auto choice : field.choices) {
                    text += (text.empty() ? "" : "|") + std::string(choice);
                }
                return text;
            }();
        case ValueKind::endpoint: return "ADDRESS:PORT";
        case ValueKind::ip_range: return "RANGE";
        case ValueKind::domain:
        case ValueKind::domain_space: return "DOMAIN";
        case ValueKind::address_space: return "SPACE";
        case ValueKind::smart_host: return "HOST";
        case ValueKind::proxy_address: return "ADDRESS";
        case ValueKind::any_domain_space: return "DOMAIN";
        case ValueKind::ip_address: return "IP";
        case ValueKind::email_address: return "ADDRESS";
        case ValueKind::address_pattern: return "ADDRESS|DOMAIN";
        case ValueKind::address_template: return "TEMPLATE";
        case ValueKind::recipient_filter: return "FILTER";
        case ValueKind::recipient: return "RECIPIENT";
        case ValueKind::delivery_target: return "TARGET";
        case ValueKind::status_code: return "CODE";
        case ValueKind::secret: return "-|none";
    }
    return "VALUE";
}

std::string field_help(const Field& field) {
    auto text = std::string(field.doc);
    const bool plain = field.kind == ValueKind::boolean ||
                       (field.kind == ValueKind::text && field.maximum == UINT64_MAX);
    if (!plain) {
        auto allowed = describe_values(field);
        allowed.front() =
            static_cast<char>(std::toupper(static_cast<unsigned char>(allowed.front())));
        text += " " + allowed + ".";
    }
    if (field.required) {
        text += " Required.";
    } else if (const auto standard = default_text(field); !standard.empty()) {
        text += " Default: " + standard + ".";
    }
    return text;
}

std::string flags_help(const ObjectType& type, std::string_view verb) {
    const bool editing = verb == "set";
    std::string text;
    for (const auto& field : type.fields) {
        if (field.read_only || (editing && field.create_only)) {
            continue;
        }
        if (!field.heading.empty()) {
            text += (text.empty() ? "" : "\n") + std::string(field.heading) + ":\n";
        }
        const auto value = " " + placeholder(field);
        auto help = field_help(field);
        if (field.list) {
            help += editing ? " Repeatable; replaces the list." : " Repeatable.";
        }
        text += help_line("--" + field.flag + value, help);
        if (field.list && editing) {
            text += help_line("--add-" + field.flag + value, "Adds to the list.");
            text += help_line("--remove-" + field.flag + value, "Removes from the list.");
        }
    }
    if (editing && !type.single) {
        text += help_line("--name NAME", "Renames the object.");
    }
    return text;
}

namespace {

constexpr std::string_view kTableHead =
    "| field | flag | values | default | what it is |\n|---|---|---|---|---|\n";

std::string table_row(const Field& field) {
    auto values = describe_values(field);
    if (field.list) values = "list: " + values;
    if (field.create_only) values += " (at creation only)";
    const auto flag = field.read_only ? std::string("read only") : "`--" + field.flag + "`";
    return "| `" + std::string(field.name) + "` | " + flag + " | " + values + " | " +
           (field.required ? std::string("required") : default_text(field)) + " | " +
           std::string(field.doc) + " |\n";
}

}  // namespace

std::string reference_table(const ObjectType& type) {
    std::string text;
    for (const auto& field : type.fields) {
        if (!field.heading.empty()) {
            text += (text.empty() ? "### " : "\n### ") + std::string(field.heading) + "\n\n";
        }
        if (text.empty() || !field.heading.empty()) {
            text += kTableHead;
        }
        text += table_row(field);
    }
    return text;
}

}  // namespace mailflow::schema
