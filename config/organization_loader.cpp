#include "config/organization_loader.hpp"

#include "config/document_reader.hpp"
#include "config/field_syntax.hpp"
#include "config/receive_connector_document.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;

namespace {

AcceptedDomain read_accepted_domain(const std::string& name, const DocumentReader& reader) {
    const auto written = reader.text("domain");
    const bool wildcard = written.starts_with("*.");
    const auto type = reader.text("type");
    return {
        .name = name,
        .domain = DomainName::parse(wildcard ? written.substr(2) : written).value(),
        .include_subdomains = wildcard,
        .type = type == "external-relay"   ? AcceptedDomainType::external_relay
                : type == "internal-relay" ? AcceptedDomainType::internal_relay
                                           : AcceptedDomainType::authoritative,
        .is_default = reader.boolean("default"),
    };
}

SendUsage read_usage(std::string_view name) {
    if (name == "internal") return SendUsage::internal;
    if (name == "internet") return SendUsage::internet;
    if (name == "partner") return SendUsage::partner;
    return SendUsage::custom;
}

SendConnector read_send_connector(const std::string& name, const DocumentReader& reader) {
    SendConnector connector;
    connector.name = name;
    connector.enabled = reader.boolean("enabled");
    connector.usage = read_usage(reader.text("usage"));
    for (const auto& text : reader.list("address_spaces")) {
        connector.address_spaces.push_back(AddressSpace::parse(text).value());
    }
    connector.scoped = reader.boolean("scoped");
    connector.source_servers = reader.list("source_servers");
    connector.routing =
        reader.text("routing") == "smart-hosts" ? SendRouting::smart_hosts : SendRouting::mx;
    for (const auto& text : reader.list("smart_hosts")) {
        connector.smart_hosts.push_back(parse_smart_host(text).value());
    }
    connector.port = static_cast<std::uint16_t>(reader.number("port"));
    connector.fqdn = reader.text("fqdn");
    connector.max_message_size = reader.size_limit("max_message_size");
    return connector;
}

TransportSettings read_transport_settings(const DocumentReader& reader) {
    TransportSettings settings;
    settings.max_send_size = reader.size_limit("max_send_size");
    settings.max_receive_size = reader.size_limit("max_receive_size");
    settings.max_recipient_envelope_limit = reader.number("max_recipient_envelope_limit");
    settings.max_hop_count = reader.number("max_hop_count");
    settings.dsn_max_message_attach_size = reader.size("dsn_max_message_attach_size");
    settings.tracking_retention_days = reader.number("tracking_retention_days");
    settings.queue_glitch_retry_count = reader.number("queue_glitch_retry_count");
    settings.queue_glitch_retry_interval = reader.duration("queue_glitch_retry_interval");
    settings.transient_failure_retry_count = reader.number("transient_failure_retry_count");
    settings.transient_failure_retry_interval = reader.duration("transient_failure_retry_interval");
    settings.outbound_connection_failure_retry_interval =
        reader.duration("outbound_connection_failure_retry_interval");
    settings.long_retry_after = reader.duration("long_retry_after");
    settings.long_retry_interval = reader.duration("long_retry_interval");
    settings.message_retry_interval = reader.duration("message_retry_interval");
    settings.message_expiration_timeout = reader.duration("message_expiration_timeout");
    settings.delay_notification_timeout = reader.duration("delay_notification_timeout");
    settings.delay_dsn_enabled = reader.boolean("delay_dsn_enabled");
    settings.auth_failure_limit_per_source = reader.limit("auth_failure_limit_per_source");
    settings.auth_failure_limit_per_account = reader.limit("auth_failure_limit_per_account");
    for (const auto& text : reader.list("auth_failure_exempt_ranges")) {
        settings.auth_failure_exempt_ranges.push_back(IpRange::parse(text).value());
    }
    return settings;
}

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
    if (type.name == "accepted-domain" && is_none(fields, "domain")) {
        fields["domain"] = name;
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
        const auto fields = canonical_fields(*type, parsed.get_object(), problems);
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
        }
    }
    sort_by_name(parts.accepted_domains);
    sort_by_name(parts.receive_connectors);
    sort_by_name(parts.send_connectors);
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
    }
    complete_fields(type, name, completed, node);
    const auto written = canonical_fields(type, completed, problems);
    auto checked = schema::normalize(type, written);
    add_schema_problems(problems, checked.problems);
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
    name_object(problems, 0, schema::object_title(type, name));
    checked.problems = std::move(problems);
    return checked;
}

}  // namespace mailflow
