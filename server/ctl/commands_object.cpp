// receive-connector, send-connector, accepted-domain, transport-config, one mailbox …: whatever the
// schema describes.
#include "config/schema/object_type.hpp"
#include "config/schema/suggestion.hpp"
#include "server/ctl/commands.hpp"
#include "server/ctl/url.hpp"

#include <algorithm>
#include <map>

namespace mailflow::ctl {

namespace json = boost::json;

namespace {

// Columns of `list`, beside the name; `show` has them all.
const std::map<std::string_view, std::vector<std::string_view>>& list_columns() {
    static const std::map<std::string_view, std::vector<std::string_view>> columns = {
        {"receive-connector",
         {"enabled", "bindings", "remote_ranges", "permission_groups", "permissions", "tls"}},
        {"send-connector", {"enabled", "address_spaces", "routing", "smart_hosts", "port"}},
        {"accepted-domain", {"domain", "type", "default"}},
    };
    return columns;
}

std::vector<Column> columns_of(const schema::ObjectType& type) {
    std::vector<Column> columns = {{"name", "Name"}};
    const auto found = list_columns().find(type.name);
    if (found != list_columns().end()) {
        for (const auto key : found->second) {
            columns.push_back({std::string(key), std::string(key)});
        }
        return columns;
    }
    for (const auto& field : type.fields) {
        columns.push_back({std::string(field.name), std::string(field.name)});
    }
    return columns;
}

struct FlagTarget {
    const schema::Field* field;
    std::string key;  // in the request
};

FlagTarget target_of(const schema::ObjectType& type, const std::string& flag, bool edit) {
    if (const auto* field = schema::find_flag(type, flag)) {
        return {field, std::string(field->name)};
    }
    for (const std::string prefix : {"add-", "remove-"}) {
        if (edit && flag.compare(0, prefix.size(), prefix) == 0) {
            const auto* field = schema::find_flag(type, flag.substr(prefix.size()));
            if (field != nullptr && field->list) {
                return {field, (prefix == "add-" ? "add_" : "remove_") + std::string(field->name)};
            }
        }
    }
    std::vector<std::string_view> names;
    for (const auto& field : type.fields) {
        names.push_back(field.flag);
    }
    throw UsageError(
        std::string(type.name) + " has no --" + flag + schema::did_you_mean(flag, names) +
        " See smtpctl " + std::string(type.name) + (edit ? " set --help" : " create --help"));
}

std::string path_of(const schema::ObjectType& type, std::string_view name) {
    std::string path = "/v1/objects/" + std::string(type.name);
    if (!name.empty()) {
        path += "/" + encoded(name);
    }
    return path;
}

std::string with_what_if(const Context& context, std::string target) {
    return context.what_if ? target + "?what_if=true" : target;
}

// Of a new accepted domain: without these in the DNS no mail for it comes here.
void print_mx_records(Context& context, const json::object& answer) {
    const auto* object = answer.if_contains("object");
    const auto* records = object != nullptr && object->is_object()
                              ? object->get_object().if_contains("mx_records")
                              : nullptr;
    if (records == nullptr || !records->is_array()) {
        return;
    }
    context.out << "publish in the DNS, if it is not there:\n";
    for (const auto& record : records->get_array()) {
        context.out << "  " << std::string_view(record.as_string()) << "\n";
    }
}

// Prints what changed: the object, then the warnings.
int report(Context& context, const json::value& answer, const std::string& done) {
    const auto& object = answer.as_object();
    if (const auto* warnings = object.if_contains("warnings");
        warnings != nullptr && warnings->is_array()) {
        for (const auto& warning : warnings->get_array()) {
            context.errors << "warning: " << std::string_view(warning.as_string()) << "\n";
        }
    }
    if (context.format == Format::json) {
        const auto* shown = object.if_contains("object");
        context.out << pretty_json(shown == nullptr ? answer : *shown);
        return 0;
    }
    context.out << (context.what_if ? "would be " : "") << done << "\n";
    print_mx_records(context, object);
    if (const auto* shown = object.if_contains("object");
        shown != nullptr && shown->is_object() && context.what_if) {
        context.out << print_object(shown->get_object(), context.format);
    }
    return 0;
}

int list_objects(Context& context, const schema::ObjectType& type, const Arguments& arguments) {
    allow_flags(arguments, {"where"});
    auto rows = context.client.get(path_of(type, "")).as_array();
    for (const auto& flag : arguments.flags()) {
        if (!rows.empty()) {
            rows = filtered(rows, flag.value);
        }
    }
    context.out << print_rows(rows, columns_of(type), context.format);
    return 0;
}

int create_object(
    Context& context,
    const schema::ObjectType& type,
    const std::string& name,
    const Arguments& arguments) {
    json::object body = fields_from(context, type, arguments, false);
    body["name"] = name;
    const auto answer = context.client.send("POST", with_what_if(context, path_of(type, "")), body);
    return report(context, answer, "created " + std::string(type.name) + " \"" + name + "\"");
}

int change_object(
    Context& context,
    const schema::ObjectType& type,
    const std::string& name,
    const json::object& fields) {
    if (fields.empty()) {
        throw UsageError(
            "nothing to set: give at least one --field value (smtpctl " + std::string(type.name) +
            " set --help)");
    }
    const auto answer =
        context.client.send("PATCH", with_what_if(context, path_of(type, name)), fields);
    return report(
        context,
        answer,
        "set " + std::string(type.name) + (type.single ? "" : " \"" + name + "\""));
}

int remove_object(
    Context& context,
    const schema::ObjectType& type,
    const std::string& name,
    const Arguments& arguments) {
    allow_flags(arguments, {});
    if (!context.what_if &&
        !confirmed(context, "Remove " + std::string(type.name) + " \"" + name + "\"?")) {
        return 1;
    }
    const auto answer = context.client.remove(with_what_if(context, path_of(type, name)));
    return report(context, answer, "removed " + std::string(type.name) + " \"" + name + "\"");
}

void require_name(const schema::ObjectType& type, std::string_view verb, std::string_view name) {
    if (name.empty()) {
        throw UsageError(
            "which " + std::string(type.name) + "? Write: smtpctl " + std::string(type.name) + " " +
            std::string(verb) + " NAME");
    }
}

}  // namespace

json::object fields_from(
    const Context& context, const schema::ObjectType& type, const Arguments& arguments, bool edit) {
    json::object fields;
    for (const auto& flag : arguments.flags()) {
        const auto target = target_of(type, flag.name, edit);
        if (target.field->kind == schema::ValueKind::secret) {
            fields[target.key] = secret_value(*target.field, flag.value, context.read_secret);
            continue;
        }
        if (!target.field->list) {
            fields[target.key] = flag.value;
            continue;
        }
        auto& list = fields.contains(target.key)
                         ? fields[target.key]
                         : fields.emplace(target.key, json::array()).first->value();
        if (!flag.value.empty()) {
            list.as_array().emplace_back(flag.value);
        }
    }
    return fields;
}

int run_objects(Context& context, const Arguments& arguments) {
    const auto& type = *schema::find_type(arguments.word(0));
    const auto verb = arguments.word(1);
    const bool named = !type.single;
    const std::string name(named ? arguments.word(2) : schema::kSingleName);
    allow_words(arguments, named && verb != "list" ? 3 : 2);
    if (verb == "list" && named) {
        return list_objects(context, type, arguments);
    }
    const bool known = verb == "show" || verb == "set" ||
                       (named && (verb == "create" || verb == "remove")) ||
                       (type.can_be_disabled && (verb == "enable" || verb == "disable"));
    if (!known) {
        throw UsageError(
            verb.empty() ? "what to do with " + std::string(type.name) + "? See smtpctl " +
                               std::string(type.name) + " --help"
                         : std::string(type.name) + " has no verb \"" + std::string(verb) +
                               "\". See smtpctl " + std::string(type.name) + " --help");
    }
    require_name(type, verb, name);
    if (verb == "show") {
        allow_flags(arguments, {});
        const auto object = context.client.get(path_of(type, name));
        context.out << print_object(object.as_object(), context.format);
        return 0;
    }
    if (verb == "create") {
        return create_object(context, type, name, arguments);
    }
    if (verb == "remove") {
        return remove_object(context, type, name, arguments);
    }
    if (verb == "set") {
        return change_object(context, type, name, fields_from(context, type, arguments, true));
    }
    allow_flags(arguments, {});
    return change_object(context, type, name, json::object{{"enabled", verb == "enable"}});
}

}  // namespace mailflow::ctl
