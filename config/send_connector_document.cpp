#include "config/send_connector_document.hpp"

#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr Word<SendUsage> kUsages[] = {
    {"custom", SendUsage::custom},
    {"internal", SendUsage::internal},
    {"internet", SendUsage::internet},
    {"partner", SendUsage::partner},
};

constexpr Word<TlsAuthLevel> kTlsLevels[] = {
    {"encryption-only", TlsAuthLevel::encryption_only},
    {"certificate-validation", TlsAuthLevel::certificate_validation},
    {"domain-validation", TlsAuthLevel::domain_validation},
};
constexpr Word<SmartHostAuth> kAuths[] = {
    {"none", SmartHostAuth::none},
    {"basic", SmartHostAuth::basic},
    {"basic-require-tls", SmartHostAuth::basic_require_tls},
    {"oauth2", SmartHostAuth::oauth2},
};

void read_purpose(SendConnector& connector, const DocumentReader& reader) {
    connector.enabled = reader.boolean("enabled");
    connector.usage = reader.choice("usage", kUsages);
    connector.comment = reader.text("comment");
    for (const auto& text : reader.list("address_spaces")) {
        connector.address_spaces.push_back(AddressSpace::parse(text).value());
    }
    connector.scoped = reader.boolean("scoped");
    connector.source_servers = reader.list("source_servers");
}

void read_way(SendConnector& connector, const DocumentReader& reader) {
    connector.routing =
        reader.text("routing") == "smart-hosts" ? SendRouting::smart_hosts : SendRouting::mx;
    for (const auto& text : reader.list("smart_hosts")) {
        connector.smart_hosts.push_back(parse_smart_host(text).value());
    }
    connector.port = static_cast<std::uint16_t>(reader.number("port"));
    connector.fqdn = reader.text("fqdn");
    connector.max_message_size = reader.size_limit("max_message_size");
    if (const auto address = reader.text("source_address"); !address.empty()) {
        connector.source_address = IpAddress::parse(address).value();
    }
    connector.max_messages_per_connection = reader.number("max_messages_per_connection");
    connector.max_outbound_connections = reader.limit("max_outbound_connections");
    connector.max_per_domain_outbound_connections =
        reader.limit("max_per_domain_outbound_connections");
    connector.connection_inactivity_timeout = reader.duration("connection_inactivity_timeout");
    connector.force_helo = reader.boolean("force_helo");
    connector.send_routing_headers = reader.boolean("send_routing_headers");
}

// Lists count only where their policy stands.
void read_failures(SendConnector& connector, const DocumentReader& reader) {
    auto& policies = connector.error_policies;
    for (const auto& policy : reader.list("error_policies")) {
        if (policy == "downgrade-dns-failures") {
            policies.downgrade_dns_failures = true;
        } else if (policy == "downgrade-custom-failures") {
            policies.downgrade_replies = reader.list("downgrade_replies");
        } else {
            policies.upgrade_replies = reader.list("upgrade_replies");
        }
    }
}

void read_tls(SendConnector& connector, const DocumentReader& reader) {
    connector.require_tls = reader.boolean("require_tls");
    connector.ignore_starttls = reader.boolean("ignore_starttls");
    if (!reader.text("tls_auth_level").empty()) {
        connector.tls_auth_level = reader.choice("tls_auth_level", kTlsLevels);
    }
    connector.tls_domain = reader.text("tls_domain");
    connector.certificate = reader.text("certificate");
    connector.dane = reader.boolean("dane");
    connector.mta_sts = reader.boolean("mta_sts");
}

void read_login(SendConnector& connector, const DocumentReader& reader) {
    connector.auth = reader.choice("auth", kAuths);
    connector.username = reader.text("username");
    connector.password = reader.text("password");
    connector.oauth2.token_url = reader.text("oauth2_token_url");
    connector.oauth2.client_id = reader.text("oauth2_client_id");
    connector.oauth2.scope = reader.text("oauth2_scope");
    connector.oauth2.client_secret = reader.text("oauth2_client_secret");
    connector.oauth2.refresh_token = reader.text("oauth2_refresh_token");
}

// A policy about replies and its list stand together.
void check_list(
    const json::object& document,
    std::string_view policy,
    std::string_view list,
    std::vector<schema::Problem>& problems) {
    const auto& policies = document.at("error_policies").as_array();
    const bool stands = std::any_of(policies.begin(), policies.end(), [policy](const auto& value) {
        return value.as_string() == policy;
    });
    const bool empty = document.at(list).as_array().empty();
    if (stands && empty) {
        problems.push_back(
            {{},
             std::string(list),
             "is needed by error_policies " + std::string(policy) +
                 ": write the replies it is about, or take the policy away"});
    }
    if (!stands && !empty) {
        problems.push_back(
            {{},
             std::string(list),
             "is obeyed with error_policies " + std::string(policy) +
                 " only: add that policy, or take the list away"});
    }
}

bool has(const json::object& fields, std::string_view name) {
    const auto* value = fields.if_contains(name);
    return value != nullptr && !value->is_null();
}

}  // namespace

SendConnector read_send_connector(const std::string& name, const DocumentReader& reader) {
    SendConnector connector;
    connector.name = name;
    read_purpose(connector, reader);
    read_way(connector, reader);
    read_failures(connector, reader);
    read_tls(connector, reader);
    read_login(connector, reader);
    return connector;
}

Node read_node(const std::string& name, const DocumentReader& reader) {
    return {name, reader.text("fqdn"), reader.text("site")};
}

DestinationPolicy read_destination_policy(const std::string& name, const DocumentReader& reader) {
    DestinationPolicy policy;
    policy.name = name;
    policy.priority = reader.number("priority");
    policy.enabled = reader.boolean("enabled");
    policy.dry_run = reader.boolean("dry_run");
    policy.domains = reader.list("domains");
    policy.mx_hosts = reader.list("mx_hosts");
    policy.connectors = reader.list("connectors");
    policy.max_connections = reader.limit("max_connections");
    policy.max_messages_per_connection = reader.limit("max_messages_per_connection");
    policy.max_recipients_per_message = reader.limit("max_recipients_per_message");
    policy.connection_rate_per_minute = reader.limit("connection_rate_per_minute");
    policy.message_rate_per_minute = reader.limit("message_rate_per_minute");
    policy.slow_replies = reader.list("slow_replies");
    if (!reader.text("back_off").empty()) {
        policy.back_off = reader.duration("back_off");
    }
    return policy;
}

// Internet and partner connectors route by MX and custom ones as they say, which is what `routing`
// does by itself.
void apply_send_usage(json::object& fields) {
    const auto* usage = fields.if_contains("usage");
    const bool internal =
        usage != nullptr && usage->is_string() &&
        ascii::equal_ignoring_case(ascii::trimmed(usage->get_string()), "internal");
    if (internal && !has(fields, "max_message_size")) {
        fields["max_message_size"] = schema::kUnlimited;
    }
}

void check_error_policies(const json::object& document, std::vector<schema::Problem>& problems) {
    check_list(document, "downgrade-custom-failures", "downgrade_replies", problems);
    check_list(document, "upgrade-custom-failures", "upgrade_replies", problems);
}

}  // namespace mailflow
