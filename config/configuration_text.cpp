#include "config/configuration_text.hpp"

#include "config/schema/suggestion.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <optional>
#include <toml++/toml.h>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;

namespace {

const schema::ObjectType* type_of_table(std::string_view table) {
    for (const auto& type : schema::object_types()) {
        if (type.toml_name == table) return &type;
    }
    return nullptr;
}

std::string line_of(const toml::node& node) {
    return "line " + std::to_string(node.source().begin.line);
}

// Nothing: a table, a date or a fraction, which no field is.
std::optional<json::value> to_json(const toml::node& node) {
    if (const auto* list = node.as_array()) {
        json::array array;
        for (const auto& element : *list) {
            auto value = to_json(element);
            if (!value) return std::nullopt;
            array.push_back(std::move(*value));
        }
        return json::value(std::move(array));
    }
    if (node.is_boolean()) return json::value(*node.value<bool>());
    if (node.is_integer()) return json::value(*node.value<std::int64_t>());
    if (node.is_string()) return json::value(*node.value<std::string>());
    return std::nullopt;
}

class Reader {
  public:
    explicit Reader(WrittenConfiguration& written)
        : written_(written) {}

    void read(const toml::table& root) {
        for (const auto& [key, node] : root) {
            const auto* type = type_of_table(key.str());
            if (type == nullptr) {
                refuse_table(key.str(), node);
            } else {
                read_type(*type, node);
            }
        }
    }

  private:
    void refuse(std::string where, std::string message) {
        written_.problems.push_back({std::move(where), {}, std::move(message)});
    }

    void refuse_table(std::string_view name, const toml::node& node) {
        std::vector<std::string_view> names;
        for (const auto& type : schema::object_types())
            names.push_back(type.toml_name);
        refuse(
            line_of(node),
            "there is no object type \"" + ascii::escaped(name) + "\"" +
                schema::did_you_mean(name, names));
    }

    void read_type(const schema::ObjectType& type, const toml::node& node) {
        written_.types.insert(type.name);
        const std::string form = type.single ? "[" + std::string(type.toml_name) + "]"
                                             : "[[" + std::string(type.toml_name) + "]]";
        const auto* list = node.as_array();
        if (type.single && node.is_table()) {
            add(type, std::string(schema::kSingleName), *node.as_table());
            return;
        }
        if (type.single || list == nullptr) {
            refuse(line_of(node), "write " + form);
            return;
        }
        for (const auto& element : *list) {
            const auto* table = element.as_table();
            const auto name =
                table == nullptr ? std::nullopt : (*table)["name"].value<std::string>();
            if (!name) {
                refuse(line_of(element), form + " needs a name: write name = \"…\"");
            } else {
                add(type, *name, *table);
            }
        }
    }

    void add(const schema::ObjectType& type, std::string name, const toml::table& table) {
        WrittenObject object{&type, std::move(name), {}};
        const auto title = schema::object_title(type, object.name);
        for (const auto& known : written_.objects) {
            if (known.type == &type && ascii::equal_ignoring_case(known.name, object.name)) {
                refuse(title, line_of(table) + ": is there twice");
                return;
            }
        }
        for (const auto& [key, node] : table) {
            if (!type.single && key.str() == "name") continue;
            auto value = to_json(node);
            if (value) {
                object.fields[key.str()] = std::move(*value);
            } else {
                written_.problems.push_back(
                    {title,
                     std::string(key.str()),
                     line_of(node) + ": write a text, a number, true, false, or a list of them"});
            }
        }
        written_.objects.push_back(std::move(object));
    }

    WrittenConfiguration& written_;
};

}  // namespace

WrittenConfiguration read_configuration(std::string_view toml) {
    WrittenConfiguration written;
    try {
        Reader(written).read(toml::parse(toml));
    } catch (const toml::parse_error& error) {
        written.problems.push_back(
            {"line " + std::to_string(error.source().begin.line),
             {},
             std::string(error.description())});
    }
    return written;
}

}  // namespace mailflow
