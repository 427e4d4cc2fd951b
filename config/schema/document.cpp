#include "config/schema/document.hpp"

#include "config/schema/suggestion.hpp"
#include "config/schema/values.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace mailflow::schema {

namespace json = boost::json;

namespace {

constexpr std::string_view kAdd = "add_";
constexpr std::string_view kRemove = "remove_";
// A list longer than this is no list an administrator wrote.
constexpr std::size_t kMaxListLength = 10000;

json::value none_of(const Field& field) {
    return field.list ? json::value(json::array()) : json::value("");
}

// Fields in canonical text always have one form: the default checked like any other value.
json::value default_of(const Field& field) {
    if (field.defaults.empty()) {
        return none_of(field);
    }
    if (!field.list) {
        return check_value(field, json::value(field.defaults.front())).value;
    }
    json::array list;
    for (const auto element : field.defaults)
        list.push_back(json::value(element));
    return list;
}

// A value without one of its own takes an empty text as "none".
bool may_be_empty(const Field& field) {
    return field.defaults.empty() && field.kind != ValueKind::boolean &&
           field.kind != ValueKind::secret;
}

bool is_empty_text(const json::value& value) {
    return value.is_string() && ascii::trimmed(value.get_string()).empty();
}

bool contains(const json::array& list, const json::value& value) {
    const auto same = [&value](const json::value& other) {
        if (value.is_string() && other.is_string()) {
            return ascii::equal_ignoring_case(value.get_string(), other.get_string());
        }
        return value == other;
    };
    return std::any_of(list.begin(), list.end(), same);
}

class Checker {
  public:
    Checker(const ObjectType& type, std::vector<Problem>& problems)
        : type_(type)
        , problems_(problems) {}

    void add(const Field& field, std::string message) {
        problems_.push_back({{}, std::string(field.name), std::move(message)});
    }

    void unknown(std::string_view key, bool with_edits) {
        std::vector<std::string_view> names;
        std::vector<std::string> edits;
        for (const auto& field : type_.fields) {
            names.push_back(field.name);
            if (with_edits && field.list) {
                edits.push_back(std::string(kAdd) + std::string(field.name));
                edits.push_back(std::string(kRemove) + std::string(field.name));
            }
        }
        names.insert(names.end(), edits.begin(), edits.end());
        auto message = "there is no such field" + did_you_mean(key, names);
        problems_.push_back({{}, std::string(key), std::move(message)});
    }

    // The canonical value of a whole field; nothing after a problem.
    json::value value_of(const Field& field, const json::value& input) {
        if (input.is_null()) {
            return default_of(field);
        }
        if (field.list) {
            return list_of(field, input);
        }
        if (may_be_empty(field) && is_empty_text(input)) {
            return none_of(field);
        }
        auto checked = check_value(field, input);
        if (!checked.ok()) {
            add(field, std::move(checked.problem));
        }
        return std::move(checked.value);
    }

    // One element alone stands for a list of one; an empty text for an empty list. Repeated
    // elements count once.
    json::array list_of(const Field& field, const json::value& input) {
        json::array written;
        if (const auto* array = input.if_array()) {
            written = *array;
        } else if (!is_empty_text(input)) {
            written.push_back(input);
        }
        if (written.size() == 1 && is_empty_text(written.front())) {
            written.clear();
        }
        if (written.size() > kMaxListLength) {
            add(field, "the list is too long: at most " + std::to_string(kMaxListLength));
            return {};
        }
        json::array list;
        for (const auto& element : written) {
            auto checked = check_value(field, element);
            if (!checked.ok()) {
                add(field, std::move(checked.problem));
            } else if (!contains(list, checked.value)) {
                list.push_back(std::move(checked.value));
            }
        }
        return list;
    }

    void require(const Field& field, const json::value& value) {
        const bool empty =
            field.list ? value.is_array() && value.get_array().empty() : is_empty_text(value);
        if (field.required && empty) {
            add(field, "is required: write " + describe_values(field));
        }
    }

  private:
    const ObjectType& type_;
    std::vector<Problem>& problems_;
};

void add_elements(json::array& list, const json::array& more) {
    for (const auto& element : more) {
        if (!contains(list, element)) list.push_back(element);
    }
}

void remove_elements(
    Checker& checker, const Field& field, json::array& list, const json::array& gone) {
    for (const auto& element : gone) {
        if (!contains(list, element)) {
            checker.add(
                field,
                "cannot remove " + value_text(element) + ": the list holds " +
                    (list.empty() ? "nothing" : value_text(list)));
            continue;
        }
        const json::array one{element};
        json::array rest;
        for (const auto& kept : list) {
            if (!contains(one, kept)) rest.push_back(kept);
        }
        list = std::move(rest);
    }
}

json::value edited_value(
    Checker& checker, const Field& field, const json::value& current, const json::object& edit) {
    auto value = current;
    if (const auto* replaced = edit.if_contains(field.name)) {
        value = checker.value_of(field, *replaced);
        if (field.create_only && value != current) {
            checker.add(
                field,
                "can only be given when the object is created: remove it and create it anew");
        }
    }
    if (!field.list || !value.is_array()) {
        return value;
    }
    const auto name = std::string(field.name);
    if (const auto* more = edit.if_contains(std::string(kAdd) + name)) {
        add_elements(value.get_array(), checker.list_of(field, *more));
    }
    if (const auto* gone = edit.if_contains(std::string(kRemove) + name)) {
        remove_elements(checker, field, value.get_array(), checker.list_of(field, *gone));
    }
    return value;
}

}  // namespace

std::string Problem::text() const {
    auto text = object;
    if (!field.empty()) {
        text += (text.empty() ? "" : ", ") + field;
    }
    if (!text.empty()) {
        text += ": ";
    }
    return text + message;
}

CheckedDocument normalize(const ObjectType& type, const json::object& input) {
    CheckedDocument checked;
    Checker checker(type, checked.problems);
    for (const auto& member : input) {
        if (find_field(type, member.key()) == nullptr) {
            checker.unknown(member.key(), false);
        }
    }
    for (const auto& field : type.fields) {
        const auto* given = input.if_contains(field.name);
        const auto before = checked.problems.size();
        auto value = given != nullptr ? checker.value_of(field, *given) : default_of(field);
        if (checked.problems.size() == before) {
            checker.require(field, value);
        }
        checked.document[field.name] = std::move(value);
    }
    return checked;
}

const Field* field_of_edit_key(const ObjectType& type, std::string_view key) {
    if (const auto* field = find_field(type, key)) {
        return field;
    }
    for (const auto prefix : {kAdd, kRemove}) {
        if (key.starts_with(prefix)) {
            const auto* field = find_field(type, key.substr(prefix.size()));
            return field != nullptr && field->list ? field : nullptr;
        }
    }
    return nullptr;
}

CheckedDocument apply_edit(
    const ObjectType& type, const json::object& current, const json::object& edit) {
    CheckedDocument checked;
    Checker checker(type, checked.problems);
    for (const auto& member : edit) {
        if (field_of_edit_key(type, member.key()) == nullptr) {
            checker.unknown(member.key(), true);
        }
    }
    for (const auto& field : type.fields) {
        const auto* stored = current.if_contains(field.name);
        const auto before = checked.problems.size();
        auto value =
            edited_value(checker, field, stored != nullptr ? *stored : default_of(field), edit);
        if (checked.problems.size() == before) {
            checker.require(field, value);
        }
        checked.document[field.name] = std::move(value);
    }
    return checked;
}

std::string check_name(std::string_view name) {
    if (name.empty()) {
        return "a name is required";
    }
    if (ascii::trimmed(name) != name) {
        return "the name begins or ends with a blank";
    }
    if (std::any_of(name.begin(), name.end(), ascii::is_control)) {
        return "the name holds a control character";
    }
    if (count_characters(name) > kMaxNameLength) {
        return "the name is too long: at most " + std::to_string(kMaxNameLength) + " characters";
    }
    return {};
}

std::string object_title(const ObjectType& type, std::string_view name) {
    if (type.single) {
        return std::string(type.name);
    }
    return std::string(type.name) + " \"" + std::string(name) + "\"";
}

}  // namespace mailflow::schema
