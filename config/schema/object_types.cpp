#include "config/schema/object_type.hpp"
#include "config/schema/values.hpp"

#include <algorithm>

namespace mailflow::schema {

namespace {

using enum ValueKind;

constexpr std::uint64_t kKilobyte = 1024;
constexpr std::uint64_t kMaxInt = 2147483647;  // the field's upper end of most numbers and sizes
constexpr std::uint64_t kMaxOrganizationSize = 2147482624;
constexpr std::uint64_t kSecond = 1000;
constexpr std::uint64_t kMinute = 60 * kSecond;
constexpr std::uint64_t kHour = 60 * kMinute;
constexpr std::uint64_t kDay = 24 * kHour;

struct Range {
    std::uint64_t minimum = 0;
    std::uint64_t maximum = UINT64_MAX;
};

Field limited(
    ValueKind kind,
    std::string_view name,
    std::string_view standard,
    Range range,
    std::string_view doc) {
    return {
        .name = name,
        .kind = kind,
        .defaults = {standard},
        .minimum = range.minimum,
        .maximum = range.maximum,
        .doc = doc};
}

Field or_unlimited(Field field) {
    field.may_be_unlimited = true;
    return field;
}

Field flag_field(std::string_view name, std::string_view standard, std::string_view doc) {
    return {.name = name, .kind = boolean, .defaults = {standard}, .doc = doc};
}

Field text_field(std::string_view name, std::string_view default_note, std::string_view doc) {
    return {.name = name, .default_note = default_note, .doc = doc};
}

std::vector<Field> joined(std::vector<Field> first, std::vector<Field> second) {
    std::move(second.begin(), second.end(), std::back_inserter(first));
    return first;
}

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

// Reference 2.2, 2.5, 2.6, 2.8.
std::vector<Field> receive_connector_access() {
    return {
        flag_field("enabled", "true", "Whether the connector takes connections."),
        {.name = "bindings",
         .flag = "binding",
         .kind = endpoint,
         .list = true,
         .required = true,
         .doc = "Local addresses and ports to listen on; 0.0.0.0 and [::] stand for all of their "
                "family."},
        {.name = "remote_ranges",
         .flag = "remote-range",
         .kind = ip_range,
         .list = true,
         .defaults = {"0.0.0.0-255.255.255.255", "::/0"},
         .doc = "Clients it serves; of several connectors on one binding the smallest range "
                "wins."},
        {.name = "fqdn",
         .kind = domain,
         .default_note = "the node's FQDN",
         .doc = "Name in the greeting, the EHLO reply and the Received field."},
        text_field(
            "banner", "a greeting with the FQDN", "The whole greeting line; starts with `220 `."),
        {.name = "permission_groups",
         .flag = "permission-group",
         .kind = choice,
         .list = true,
         .default_note = "none, so that nobody may send",
         .choices = {"anonymous", "authenticated", "partners", "trusted"},
         .doc = "Who may send, each group with its usual rights."},
        {.name = "permissions",
         .flag = "permission",
         .kind = choice,
         .list = true,
         .default_note = "those of the groups",
         .choices =
             {"submit",
              "any-recipient",
              "any-sender",
              "authoritative-domain-sender",
              "bypass-message-size",
              "accept-routing-headers",
              "accept-organization-headers"},
         .doc = "Rights every session has beside those of its groups; any-recipient is the right "
                "to relay."},
    };
}

// Reference 2.8; sizes from the defaults that fit together.
std::vector<Field> receive_connector_limits() {
    return {
        or_unlimited(limited(
            size,
            "max_message_size",
            "36 MB",
            {64 * kKilobyte, kMaxInt},
            "Largest message taken; announced in SIZE.")),
        limited(
            integer,
            "max_recipients_per_message",
            "200",
            {1, 512000},
            "Recipients of one message; further ones get 452, those before them stay."),
        or_unlimited(limited(
            integer,
            "max_protocol_errors",
            "5",
            {0, kMaxInt},
            "Syntax and sequence errors before the session is closed.")),
        or_unlimited(limited(
            integer, "max_inbound_connection", "5000", {1, kMaxInt}, "Sessions at one time.")),
        or_unlimited(limited(
            integer,
            "max_inbound_connection_per_source",
            "20",
            {1, 10000},
            "Sessions of one client address at one time; loopback is exempt.")),
        limited(
            integer,
            "max_inbound_connection_percentage_per_source",
            "2",
            {1, 100},
            "Share of the free sessions one client address may hold; loopback is exempt."),
        or_unlimited(limited(
            integer,
            "message_rate_limit",
            kUnlimited,
            {1, kMaxInt},
            "Messages a minute of one client address.")),
        limited(
            duration,
            "connection_timeout",
            "10m",
            {kSecond, kDay},
            "Longest life of a session; it ends between messages, never inside one."),
        limited(
            duration,
            "connection_inactivity_timeout",
            "5m",
            {kSecond, kDay},
            "Longest silence of a client; less than connection_timeout."),
        limited(
            duration,
            "tarpit_interval",
            "5s",
            {0, 10 * kMinute},
            "Delay before refusals to anonymous clients; 0 is off."),
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
            "Received fields a message may have before it is taken for a loop."),
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
        {.name = "receive-connector",
         .plural = "receive connectors",
         .toml_name = "receive_connector",
         .doc = "Who may send mail to this server, and how.",
         .can_be_disabled = true,
         .fields = joined(receive_connector_access(), receive_connector_limits()),
         .example = "smtpctl receive-connector create \"Local applications\" --binding "
                    "127.0.0.1:2526 --remote-range 127.0.0.0/8 --permission-group anonymous "
                    "--permission any-recipient"},
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
