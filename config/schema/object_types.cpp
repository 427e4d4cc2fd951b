#include "config/schema/field_builders.hpp"
#include "config/schema/object_type.hpp"
#include "config/schema/receive_connector_type.hpp"

#include <algorithm>

namespace mailflow::schema {

namespace {

using enum ValueKind;

constexpr std::uint64_t kMaxOrganizationSize = 2147482624;

// Reference 3.1.
std::vector<Field> accepted_domain_fields() {
    return {
        {.name = "domain",
         .kind = domain_space,
         .default_note = "the object's name",
         .create_only = true,
         .doc = "The domain; `*.contoso.com` is contoso.com and everything below it."},
        {.name = "type",
         .kind = choice,
         .defaults = {"authoritative"},
         .choices = {"authoritative", "internal-relay", "external-relay"},
         .doc = "Unknown recipients are refused (authoritative), relayed if not found here "
                "(internal-relay) or always relayed (external-relay)."},
        flag_field(
            "default",
            "false",
            "The domain of new mailboxes and of the bare postmaster; exactly one has it, and "
            "setting it takes it from the other."),
    };
}

// Reference 1.1.
std::vector<Field> send_connector_fields() {
    return {
        flag_field("enabled", "true", "Whether routing sees the connector."),
        {.name = "usage",
         .kind = choice,
         .defaults = {"custom"},
         .choices = {"custom", "internal", "internet", "partner"},
         .create_only = true,
         .doc = "What the connector is for; a note for people."},
        {.name = "address_spaces",
         .flag = "address-space",
         .kind = address_space,
         .list = true,
         .required = true,
         .doc = "Domains it takes, with a cost of 1 to 100 (1 when left out); the most specific "
                "space wins, then the lowest cost."},
        flag_field(
            "scoped", "false", "Only nodes of the source servers' site may use the connector."),
        {.name = "source_servers",
         .flag = "source-server",
         .kind = domain,
         .list = true,
         .default_note = "this node",
         .doc = "FQDNs of the nodes that send through it."},
        {.name = "routing",
         .kind = choice,
         .default_note = "smart-hosts when smart_hosts is given, else mx",
         .choices = {"mx", "smart-hosts"},
         .doc = "By the MX records of the recipient's domain, or to smart hosts."},
        {.name = "smart_hosts",
         .flag = "smart-host",
         .kind = smart_host,
         .list = true,
         .default_note = "none",
         .doc = "Hosts that take all mail of this connector: names or addresses."},
        limited(integer, "port", "25", {1, 65535}, "TCP port of the remote hosts."),
        {.name = "fqdn",
         .kind = domain,
         .default_note = "the node's FQDN",
         .doc = "Name this host gives in EHLO."},
        or_unlimited(limited(
            size,
            "max_message_size",
            "36 MB",
            {0, kMaxInt},
            "Larger messages do not see the connector.")),
    };
}

// Reference 5.1, without what belongs to policies.
std::vector<Field> mailbox_fields() {
    return {
        {.name = "alias",
         .default_note = "the object's name",
         .doc = "Local part of generated addresses and folder of the mail; unique."},
        text_field("first_name", "none", "Given name."),
        text_field("last_name", "none", "Family name."),
        text_field(
            "display_name", "first and last name, else the object's name", "Name people see."),
        {.name = "addresses",
         .flag = "address",
         .kind = proxy_address,
         .list = true,
         .default_note = "alias@default domain",
         .doc = "`SMTP:` marks the one primary address, `smtp:` or nothing the others; without "
                "a mark the first is primary."},
        text_field(
            "upn",
            "alias@default domain",
            "Login name, local@domain; the addresses, the alias and DOMAIN\\alias log in too."),
        {.name = "password",
         .kind = secret,
         .default_note = "none, so that nobody logs in",
         .doc = "Password of the login; kept as a SCRAM-SHA-256 verifier and never shown."},
        {.name = "send_as",
         .flag = "send-as",
         .list = true,
         .default_note = "none",
         .doc = "Other mailboxes whose owners may send as this one."},
    };
}

// Reference 9.8, 10.2, 13.1; the retry ladder has defaults of its own.
std::vector<Field> transport_config_limits() {
    return {
        or_unlimited(limited(
            size,
            "max_send_size",
            "36 MB",
            {0, kMaxOrganizationSize},
            "Largest message from a sender of ours.")),
        or_unlimited(limited(
            size,
            "max_receive_size",
            "36 MB",
            {0, kMaxOrganizationSize},
            "Largest message to a recipient of ours.")),
        limited(
            integer,
            "max_recipient_envelope_limit",
            "500",
            {1, kMaxInt},
            "Recipients of one message, organization-wide."),
        limited(
            integer,
            "max_hop_count",
            "30",
            {1, 500},
            "Received fields a message may have before it is taken for a loop, on every "
            "connector."),
        limited(
            size,
            "dsn_max_message_attach_size",
            "10 MB",
            {0, kMaxInt},
            "Larger originals are attached to a report as their header only."),
        limited(
            integer,
            "tracking_retention_days",
            "30",
            {1, 3650},
            "Days for which the history of messages is kept."),
        or_unlimited(limited(
            integer,
            "auth_failure_limit_per_source",
            "20",
            {1, kMaxInt},
            "Failed logins of one address (IPv6: one /64) in 15 minutes before further ones are "
            "refused.")),
        or_unlimited(limited(
            integer,
            "auth_failure_limit_per_account",
            "10",
            {1, kMaxInt},
            "Failed logins of one account in 15 minutes before further ones are refused, but to "
            "sources it is known to log in from.")),
        {.name = "auth_failure_exempt_ranges",
         .flag = "auth-failure-exempt-range",
         .kind = ip_range,
         .list = true,
         .defaults = {"127.0.0.0/8", "::1"},
         .doc = "Clients that are never refused for failed logins."},
    };
}

std::vector<Field> transport_config_retry() {
    return {
        limited(
            integer,
            "queue_glitch_retry_count",
            "4",
            {0, 15},
            "First retries of a next hop that cannot be reached."),
        limited(
            duration,
            "queue_glitch_retry_interval",
            "1m",
            {kSecond, 12 * kHour},
            "Time between those."),
        limited(
            integer,
            "transient_failure_retry_count",
            "6",
            {0, 15},
            "Retries after the first ones."),
        limited(
            duration,
            "transient_failure_retry_interval",
            "5m",
            {kSecond, 12 * kHour},
            "Time between those."),
        limited(
            duration,
            "outbound_connection_failure_retry_interval",
            "10m",
            {kSecond, 20 * kDay},
            "Time between all further retries."),
        limited(
            duration,
            "long_retry_after",
            "4h",
            {kSecond, 90 * kDay},
            "Age of the failure from which on long_retry_interval rules."),
        limited(
            duration,
            "long_retry_interval",
            "30m",
            {kSecond, 20 * kDay},
            "Time between retries of a next hop that has long been unreachable."),
        limited(
            duration,
            "message_retry_interval",
            "15m",
            {kSecond, kDay},
            "Time until a recipient refused with 4xx on a working connection is tried again."),
        limited(
            duration,
            "message_expiration_timeout",
            "5d",
            {5 * kSecond, 90 * kDay},
            "Age at which an undelivered message is returned to its sender."),
        limited(
            duration,
            "delay_notification_timeout",
            "4h",
            {kSecond, 30 * kDay},
            "Age at which the sender is told that the message is late."),
        flag_field("delay_dsn_enabled", "true", "Whether senders are told of a delay."),
    };
}

// A flag is the name with dashes, where the field does not give the singular of a list.
void complete_flags(ObjectType& type) {
    for (auto& field : type.fields) {
        if (field.flag.empty()) {
            field.flag = field.name;
            std::replace(field.flag.begin(), field.flag.end(), '_', '-');
        }
    }
}

std::vector<ObjectType> make_types() {
    std::vector<ObjectType> types = {
        {.name = "transport-config",
         .plural = "transport configuration",
         .toml_name = "transport_config",
         .doc = "Limits and clocks of the whole organization.",
         .single = true,
         .fields = joined(transport_config_limits(), transport_config_retry()),
         .example = "smtpctl transport-config set --message-retry-interval 5m"},
        {.name = "accepted-domain",
         .plural = "accepted domains",
         .toml_name = "accepted_domain",
         .doc = "A domain mail is accepted for, and what happens to recipients not known here.",
         .fields = accepted_domain_fields(),
         .example = "smtpctl accepted-domain create contoso.com --type authoritative"},
        receive_connector_type(),
        {.name = "send-connector",
         .plural = "send connectors",
         .toml_name = "send_connector",
         .doc = "How mail leaves this server, and for which domains.",
         .can_be_disabled = true,
         .fields = send_connector_fields(),
         .example = "smtpctl send-connector create Internet --usage internet --address-space "
                    "\"smtp:*\""},
        {.name = "mailbox",
         .plural = "mailboxes",
         .toml_name = "mailbox",
         .doc = "A recipient whose mail is delivered here.",
         .fields = mailbox_fields(),
         .example = "smtpctl mailbox create alice --first-name Alice --last-name Smith"},
    };
    for (auto& type : types)
        complete_flags(type);
    return types;
}

}  // namespace

std::span<const ObjectType> object_types() {
    static const std::vector<ObjectType> kTypes = make_types();
    return kTypes;
}

const ObjectType* find_type(std::string_view name) {
    const auto types = object_types();
    const auto found = std::find_if(
        types.begin(), types.end(), [name](const ObjectType& type) { return type.name == name; });
    return found == types.end() ? nullptr : &*found;
}

const Field* find_field(const ObjectType& type, std::string_view name) {
    const auto found =
        std::find_if(type.fields.begin(), type.fields.end(), [name](const Field& field) {
            return field.name == name;
        });
    return found == type.fields.end() ? nullptr : &*found;
}

const Field* find_flag(const ObjectType& type, std::string_view flag) {
    const auto found =
        std::find_if(type.fields.begin(), type.fields.end(), [flag](const Field& field) {
            return field.flag == flag;
        });
    return found == type.fields.end() ? nullptr : &*found;
}

}  // namespace mailflow::schema
