#include "config/toml_text.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace mailflow {

namespace json = boost::json;

namespace {

// TOML 1.0, basic strings: quotation mark, backslash and control characters are escaped.
std::string toml_string(std::string_view text) {
    std::string written = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            written += '\\';
            written += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            written +=
                fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else {
            written += c;
        }
    }
    return written + '"';
}

std::string toml_value(const json::value& value) {
    if (value.is_bool()) return value.get_bool() ? "true" : "false";
    if (value.is_int64()) return std::to_string(value.get_int64());
    if (value.is_string()) return toml_string(value.get_string());
    std::string text = "[";
    for (const auto& element : value.as_array()) {
        if (text.size() > 1) text += ", ";
        text += toml_value(element);
    }
    return text + "]";
}

}  // namespace

std::string toml_header() {
    return "# Configuration of a mailflow organization, written by `smtpctl config export`.\n";
}

std::string toml_nothing(const schema::ObjectType& type) {
    return std::string(type.toml_name) + " = []\n";
}

std::string toml_object(
    const schema::ObjectType& type, std::string_view name, const json::object& document) {
    const auto table = std::string(type.toml_name);
    std::string text = "\n";
    if (type.single) {
        text += "[" + table + "]\n";
    } else {
        text += "[[" + table + "]]\nname = " + toml_string(name) + "\n";
    }
    for (const auto& field : type.fields) {
        const auto* value = document.if_contains(field.name);
        if (value != nullptr && !field.read_only) {
            text += std::string(field.name) + " = " + toml_value(*value) + "\n";
        }
    }
    return text;
}

}  // namespace mailflow
