#include "config/organization_loader.hpp"

#include "config/address_policy_rules.hpp"
#include "config/document_reader.hpp"
#include "config/field_syntax.hpp"
#include "config/object_secrets.hpp"
#include "config/organization_documents.hpp"
#include "config/receive_connector_document.hpp"
#include "config/send_connector_document.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;

namespace {

template <class T>
void sort_by_name(std::vector<T>& objects) {
    std::sort(objects.begin(), objects.end(), [](const T& a, const T& b) {
        return ascii::less_ignoring_case(a.name, b.name);
    });
}

void name_object(std::vector<Problem>& problems, std::size_t from, const std::string& title) {
    for (auto i = from; i < problems.size(); ++i)
        problems[i].object = title;
}

// The field's own grammar has spoken; what the schema says about the same value is noise.
void add_schema_problems(std::vector<Problem>& problems, const std::vector<Problem>& more) {
    const auto known = problems;
    for (const auto& problem : more) {
        const bool said = std::any_of(known.begin(), known.end(), [&problem](const Problem& other) {
            return other.field == problem.field;
        });
        if (!said) problems.push_back(problem);
    }
}

bool is_none(const json::object& fields, std::string_view name) {
    const auto* value = fields.if_contains(name);
    return value == nullptr || value->is_null() ||
           (value->is_string() && value->get_string().empty()) ||
           (value->is_array() && value->get_array().empty());
}

// Defaults that are not the same for every object of a type.
void complete_fields(
    const schema::ObjectType& type,
    const std::string& name,
    json::object& fields,
    const NodeSettings& node) {
    if (type.name == "send-connector") {
        if (is_none(fields, "source_servers")) {
            fields["source_servers"] = json::array{json::value(node.fqdn)};
        }
        if (is_none(fields, "routing")) {
            fields["routing"] = is_none(fields, "smart_hosts") ? "mx" : "smart-hosts";
        }
    }
    if (type.name == "node" && is_none(fields, "fqdn")) {
        fields["fqdn"] = name;
    }
    const bool named_by_domain = type.name == "accepted-domain" || type.name == "remote-domain";
    if (named_by_domain && is_none(fields, "domain")) {
        fields["domain"] = name;
    }
}

// What the program alone sets is in no edit.
void refuse_read_only(
    const schema::ObjectType& type, const json::object& fields, std::vector<Problem>& problems) {
    for (const auto& field : type.fields) {
        if (field.read_only && fields.contains(field.name)) {
            problems.push_back(
                {{}, std::string(field.name), "cannot be set: it shows what the server has done"});
        }
    }
}

}  // namespace

json::object read_document(const ObjectRecord& record, std::vector<Problem>& problems) {
    const auto* type = schema::find_type(record.type);
    if (type == nullptr) {
        problems.push_back(
            {record.type + " \"" + record.name + "\"", {}, "this program knows no such type"});
        return {};
    }
    const auto first = problems.size();
    json::error_code error;
    const auto parsed = json::parse(record.document, error);
    if (error || !parsed.is_object()) {
        problems.push_back({{}, {}, "the stored document is not a JSON object"});
    } else {
        auto fields = canonical_fields(*type, parsed.get_object(), problems);
        drop_empty_secrets(*type, fields);
        auto checked = schema::normalize(*type, fields);
        if (problems.size() == first) {
            problems.insert(problems.end(), checked.problems.begin(), checked.problems.end());
        }
        if (problems.size() == first) {
            return std::move(checked.document);
        }
    }
    name_object(problems, first, schema::object_title(*type, record.name));
    return {};
}

Organization::Parts load_organization(
    const ObjectSet& objects, const NodeSettings& node, std::vector<Problem>& problems) {
    Organization::Parts parts;
    parts.version = objects.version;
    parts.node = node;
    for (const auto& record : objects.objects) {
        const auto document = read_document(record, problems);
        if (document.empty()) {
            continue;
        }
        const DocumentReader reader(document);
        if (record.type == "accepted-domain") {
            parts.accepted_domains.push_back(read_accepted_domain(record.name, reader));
        } else if (record.type == "receive-connector") {
            parts.receive_connectors.push_back(read_receive_connector(record.name, reader));
        } else if (record.type == "send-connector") {
            parts.send_connectors.push_back(read_send_connector(record.name, reader));
        } else if (record.type == "transport-config") {
            parts.transport = read_transport_settings(reader);
        } else if (record.type == "address-policy") {
            parts.address_policies.push_back(read_address_policy(record.name, reader));
        } else if (record.type == "address-rewrite") {
            parts.address_rewrites.push_back(read_address_rewrite(record.name, reader));
        } else if (record.type == "remote-domain") {
            parts.remote_domains.push_back(read_remote_domain(record.name, reader));
        } else if (record.type == "system-message") {
            parts.system_messages.push_back(read_system_message(record.name, reader));
        } else if (record.type == "node") {
            parts.nodes.push_back(read_node(record.name, reader));
        } else if (record.type == "destination-policy") {
            parts.destination_policies.push_back(read_destination_policy(record.name, reader));
        }
    }
    sort_by_name(parts.accepted_domains);
    sort_by_name(parts.receive_connectors);
    sort_by_name(parts.send_connectors);
    sort_by_name(parts.address_policies);
    sort_by_name(parts.address_rewrites);
    sort_by_name(parts.remote_domains);
    sort_by_name(parts.system_messages);
    sort_by_name(parts.nodes);
    sort_by_name(parts.destination_policies);
    std::stable_sort(
        parts.destination_policies.begin(), parts.destination_policies.end(), [](auto& a, auto& b) {
            return a.priority < b.priority;
        });
    std::stable_sort(
        parts.address_policies.begin(), parts.address_policies.end(), [](auto& a, auto& b) {
            return a.priority < b.priority;
        });
    return parts;
}

schema::CheckedDocument make_document(
    const schema::ObjectType& type,
    const std::string& name,
    const json::object& fields,
    const NodeSettings& node) {
    auto completed = fields;
    std::vector<Problem> problems;
    if (type.name == "receive-connector") {
        apply_usage(completed, problems);
    } else if (type.name == "send-connector") {
        apply_send_usage(completed);
    }
    refuse_read_only(type, fields, problems);
    complete_fields(type, name, completed, node);
    const auto written = canonical_fields(type, completed, problems);
    auto checked = schema::normalize(type, written);
    add_schema_problems(problems, checked.problems);
    if (type.name == kPolicyType && problems.empty()) {
        complete_policy(checked.document, {}, problems);
    }
    if (type.name == "send-connector" && problems.empty()) {
        check_error_policies(checked.document, problems);
    }
    name_object(problems, 0, schema::object_title(type, name));
    checked.problems = std::move(problems);
    return checked;
}

schema::CheckedDocument edit_document(
    const schema::ObjectType& type,
    const std::string& name,
    const json::object& current,
    const json::object& edit,
    const NodeSettings& node) {
    std::vector<Problem> problems;
    refuse_read_only(type, edit, problems);
    const auto written = canonical_fields(type, edit, problems);
    auto checked = schema::apply_edit(type, current, written);
    const auto named = [&edit](std::string_view key) {
        return edit.contains(key);
    };
    const bool hosts_named =
        named("smart_hosts") || named("add_smart_hosts") || named("remove_smart_hosts");
    if (hosts_named && is_none(edit, "routing")) {
        checked.document["routing"] = "";
    }
    complete_fields(type, name, checked.document, node);
    add_schema_problems(problems, checked.problems);
    if (type.name == kPolicyType && problems.empty()) {
        complete_policy(checked.document, written, problems);
    }
    if (type.name == "send-connector" && problems.empty()) {
        check_error_policies(checked.document, problems);
    }
    name_object(problems, 0, schema::object_title(type, name));
    checked.problems = std::move(problems);
    return checked;
}

}  // namespace mailflow
