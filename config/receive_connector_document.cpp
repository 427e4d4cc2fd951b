#include "config/receive_connector_document.hpp"

#include "transport/base/ascii.hpp"

#include <initializer_list>

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr Word<PermissionGroup> kGroups[] = {
    {"anonymous", PermissionGroup::anonymous},
    {"authenticated", PermissionGroup::authenticated},
    {"partners", PermissionGroup::partners},
    {"trusted", PermissionGroup::trusted},
};
constexpr Word<Permission> kPermissions[] = {
    {"submit", Permission::submit},
    {"any-recipient", Permission::any_recipient},
    {"any-sender", Permission::any_sender},
    {"authoritative-domain-sender", Permission::authoritative_domain_sender},
    {"bypass-message-size", Permission::bypass_message_size},
    {"accept-routing-headers", Permission::accept_routing_headers},
    {"accept-organization-headers", Permission::accept_organization_headers},
};
constexpr Word<TlsMode> kTlsModes[] = {
    {"none", TlsMode::none},
    {"opportunistic", TlsMode::opportunistic},
    {"required", TlsMode::required},
    {"implicit", TlsMode::implicit},
};
constexpr Word<ClientCertificates> kClientCertificates[] = {
    {"none", ClientCertificates::none},
    {"request", ClientCertificates::request},
    {"require", ClientCertificates::require},
};
constexpr Word<AuthMechanism> kMechanisms[] = {
    {"plain", AuthMechanism::plain},
    {"login", AuthMechanism::login},
    {"scram-sha-256", AuthMechanism::scram_sha_256},
    {"scram-sha-256-plus", AuthMechanism::scram_sha_256_plus},
    {"external", AuthMechanism::external},
};
constexpr Word<SenderPolicy> kSenderPolicies[] = {
    {"refuse", SenderPolicy::refuse},
    {"fix", SenderPolicy::fix},
    {"ignore", SenderPolicy::ignore},
};
constexpr Word<SizeAnnouncement> kSizeAnnouncements[] = {
    {"enabled", SizeAnnouncement::enabled},
    {"disabled", SizeAnnouncement::disabled},
    {"enabled-without-value", SizeAnnouncement::enabled_without_value},
};
constexpr Word<VerifyPolicy> kVerifyPolicies[] = {
    {"nobody", VerifyPolicy::nobody},
    {"authenticated", VerifyPolicy::authenticated},
    {"everybody", VerifyPolicy::everybody},
};
constexpr Word<BareNewline> kBareNewlines[] = {
    {"reject", BareNewline::reject},
    {"normalize", BareNewline::normalize},
};
constexpr Word<MessageRateSource> kRateSources[] = {
    {"none", MessageRateSource::none},
    {"ip-address", MessageRateSource::ip_address},
    {"user", MessageRateSource::user},
    {"all", MessageRateSource::all},
};
constexpr Word<ProtocolLogging> kProtocolLoggings[] = {
    {"none", ProtocolLogging::none},
    {"verbose", ProtocolLogging::verbose},
};

void read_access(ReceiveConnector& connector, const DocumentReader& reader) {
    connector.comment = reader.text("comment");
    connector.enabled = reader.boolean("enabled");
    connector.bindings = reader.endpoints("bindings");
    connector.remote_ranges = reader.ranges("remote_ranges");
    connector.fqdn = reader.text("fqdn");
    connector.banner = reader.text("banner");
    connector.permission_groups = reader.bits<std::uint8_t>("permission_groups", kGroups);
    connector.permissions = reader.bits<PermissionSet>("permissions", kPermissions);
    connector.proxy_protocol_from = reader.ranges("proxy_protocol_from");
    connector.xclient_from = reader.ranges("xclient_from");
    connector.protocol_log = reader.choice("protocol_log", kProtocolLoggings);
}

void read_security(ReceiveConnector& connector, const DocumentReader& reader) {
    connector.tls = reader.choice("tls", kTlsModes);
    connector.certificate = reader.text("certificate");
    connector.client_certificates = reader.choice("client_certificates", kClientCertificates);
    connector.auth_mechanisms = reader.bits<std::uint8_t>("auth_mechanisms", kMechanisms);
    connector.auth_requires_tls = reader.boolean("auth_requires_tls");
    connector.submission = reader.boolean("submission");
    connector.sender_policy = reader.choice("sender_policy", kSenderPolicies);
    connector.default_domain = reader.text("default_domain");
}

void read_manners(ReceiveConnector& connector, const DocumentReader& reader) {
    connector.verify = reader.choice("verify", kVerifyPolicies);
    connector.require_ehlo_domain = reader.boolean("require_ehlo_domain");
    connector.bare_newline = reader.choice("bare_newline", kBareNewlines);
    connector.reject_reserved_top_level_recipient_domains =
        reader.boolean("reject_reserved_top_level_recipient_domains");
    connector.reject_reserved_second_level_recipient_domains =
        reader.boolean("reject_reserved_second_level_recipient_domains");
    connector.reject_single_label_recipient_domains =
        reader.boolean("reject_single_label_recipient_domains");
}

ExtensionSwitches read_extensions(const DocumentReader& reader) {
    return {
        .size = reader.choice("size_enabled", kSizeAnnouncements),
        .pipelining = reader.boolean("pipelining_enabled"),
        .eight_bit_mime = reader.boolean("eight_bit_mime_enabled"),
        .binary_mime = reader.boolean("binary_mime_enabled"),
        .chunking = reader.boolean("chunking_enabled"),
        .smtputf8 = reader.boolean("smtp_utf8_enabled"),
        .delivery_status_notification = reader.boolean("delivery_status_notification_enabled"),
        .enhanced_status_codes = reader.boolean("enhanced_status_codes_enabled"),
        .require_tls = reader.boolean("require_tls_enabled"),
        .limits = reader.boolean("limits_enabled"),
        .mt_priority = reader.boolean("mt_priority_enabled"),
        .future_release = reader.boolean("future_release_enabled"),
        .deliver_by = reader.boolean("deliver_by_enabled"),
    };
}

void read_limits(ReceiveConnector& connector, const DocumentReader& reader) {
    connector.max_message_size = reader.size_limit("max_message_size");
    connector.max_header_size = reader.size("max_header_size");
    connector.max_hop_count = reader.number("max_hop_count");
    connector.max_local_hop_count = reader.number("max_local_hop_count");
    connector.max_recipients_per_message = reader.number("max_recipients_per_message");
    connector.max_messages_per_connection = reader.limit("max_messages_per_connection");
    connector.max_protocol_errors = reader.limit("max_protocol_errors");
    connector.max_logon_failures = reader.number("max_logon_failures");
    connector.max_inbound_connection = reader.limit("max_inbound_connection");
    connector.max_inbound_connection_per_source = reader.limit("max_inbound_connection_per_source");
    connector.max_inbound_connection_percentage_per_source =
        reader.number("max_inbound_connection_percentage_per_source");
    connector.message_rate_source = reader.choice("message_rate_source", kRateSources);
    connector.message_rate_limit = reader.limit("message_rate_limit");
    connector.message_rate_limit_per_hour = reader.limit("message_rate_limit_per_hour");
    connector.recipient_rate_limit = reader.limit("recipient_rate_limit");
    connector.recipient_rate_limit_per_hour = reader.limit("recipient_rate_limit_per_hour");
    connector.min_data_rate = reader.number("min_data_rate");
    connector.connection_timeout = reader.seconds("connection_timeout");
    connector.connection_inactivity_timeout = reader.seconds("connection_inactivity_timeout");
    connector.tarpit_interval = reader.duration("tarpit_interval");
    connector.auth_tarpit_interval = reader.duration("auth_tarpit_interval");
}

// What people wrote for a choice, in the schema's spelling.
std::string written(const json::object& fields, std::string_view name) {
    const auto* value = fields.if_contains(name);
    return value != nullptr && value->is_string() ? ascii::to_lower(value->get_string()) : "";
}

// An explicit value always wins, also one that says "none".
void preset(json::object& fields, std::string_view name, json::value value) {
    if (!fields.contains(name)) {
        fields[name] = std::move(value);
    }
}

json::array everywhere(std::string_view port) {
    return {"0.0.0.0:" + std::string(port), "[::]:" + std::string(port)};
}

void preset_client(json::object& fields) {
    const bool implicit = written(fields, "tls") == "implicit";
    preset(fields, "bindings", everywhere(implicit ? "465" : "587"));
    preset(fields, "permission_groups", json::array{"authenticated"});
    preset(
        fields,
        "auth_mechanisms",
        json::array{"plain", "login", "scram-sha-256", "scram-sha-256-plus"});
    preset(fields, "auth_requires_tls", true);
    preset(fields, "submission", true);
    preset(fields, "message_rate_source", "user");
    preset(fields, "message_rate_limit", 100);
    preset(fields, "recipient_rate_limit", 1000);
}

}  // namespace

ReceiveConnector read_receive_connector(const std::string& name, const DocumentReader& reader) {
    ReceiveConnector connector;
    connector.name = name;
    read_access(connector, reader);
    read_security(connector, reader);
    read_manners(connector, reader);
    connector.extensions = read_extensions(reader);
    read_limits(connector, reader);
    return connector;
}

void apply_usage(json::object& fields, std::vector<schema::Problem>& problems) {
    const auto usage = written(fields, "usage");
    if (usage == "internet") {
        preset(fields, "bindings", everywhere("25"));
        preset(fields, "permission_groups", json::array{"anonymous"});
    } else if (usage == "client") {
        preset_client(fields);
    } else if (usage == "internal") {
        preset(fields, "bindings", everywhere("25"));
        preset(fields, "permission_groups", json::array{"trusted"});
        if (!fields.contains("remote_ranges")) {
            problems.push_back(
                {{},
                 "remote_ranges",
                 "is required with usage internal, because whoever comes from them is trusted: "
                 "write the addresses of your own servers"});
        }
    } else if (usage == "partner") {
        preset(fields, "permission_groups", json::array{"partners"});
        preset(fields, "tls", "required");
        preset(fields, "client_certificates", "require");
    }
}

}  // namespace mailflow
