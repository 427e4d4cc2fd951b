#include "config/schema/transport_config_type.hpp"

#include "config/schema/field_builders.hpp"

namespace mailflow::schema {

namespace {

using enum ValueKind;

constexpr std::uint64_t kMaxOrganizationSize = 2147482624;

// Reference 9.8, 10.2, 13.1; the retry ladder has defaults of its own.
std::vector<Field> limit_fields() {
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
        or_unlimited(limited(
            integer,
            "max_outbound_connections",
            "1000",
            {1, kMaxInt},
            "Connections to other hosts at the same time.")),
        or_unlimited(limited(
            integer,
            "max_per_domain_outbound_connections",
            "20",
            {1, kMaxInt},
            "Connections to one destination at the same time, where its send connector does not "
            "say.")),
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

std::vector<Field> retry_fields() {
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

// Reference 3.5, 5.2, 8.1.
std::vector<Field> flow_fields() {
    return {
        flag_field(
            "recipient_validation",
            "true",
            "Unknown recipients of authoritative domains are refused at RCPT; false accepts them "
            "and reports later, which makes backscatter."),
        {.name = "always_bcc",
         .kind = email_address,
         .default_note = "none",
         .doc = "Gets a copy of every message that is not a report: a journal."},
        choice_field(
            "forwarded_sender",
            "srs",
            {"srs", "mailbox", "keep"},
            "Reverse-path of mail a mailbox forwards: an address of ours that leads back to the "
            "sender (srs), the forwarding mailbox, or the sender's own (keep), which other servers "
            "may refuse."),
        flag_field(
            "rewrite_sender_to_primary",
            "true",
            "Mail that leaves carries the primary address of a sender of ours; a mailbox may say "
            "otherwise."),
        limited(
            integer,
            "expansion_size_limit",
            "1000",
            {1, 100000},
            "Recipients of one copy of a message after groups are expanded; more make more "
            "copies."),
    };
}

// Reference 10.2.
std::vector<Field> report_fields() {
    return {
        {.name = "external_postmaster_address",
         .kind = email_address,
         .default_note = "postmaster@default domain",
         .doc = "Author of reports, and who gets copies of them."},
        {.name = "dsn_reporting_authority",
         .kind = domain,
         .default_note = "the node's FQDN",
         .doc = "Name of this server in reports (Reporting-MTA)."},
        {.name = "generate_copy_of_dsn_for",
         .kind = status_code,
         .list = true,
         .defaults = {"5.4.8", "5.4.6", "5.4.4", "5.2.4", "5.2.0", "5.1.4"},
         .doc = "Failures with these codes are reported to the postmaster too."},
        choice_field(
            "double_bounce",
            "postmaster",
            {"postmaster", "drop"},
            "What becomes of a report that cannot be delivered."),
        or_unlimited(limited(
            integer,
            "dsn_rate_limit",
            "100",
            {1, kMaxInt},
            "Reports to one address in an hour; the excess goes to the postmaster.")),
    };
}

}  // namespace

ObjectType transport_config_type() {
    return {
        .name = "transport-config",
        .plural = "transport configuration",
        .toml_name = "transport_config",
        .doc = "Limits and clocks of the whole organization.",
        .single = true,
        .fields =
            joined(joined(limit_fields(), retry_fields()), joined(flow_fields(), report_fields())),
        .example = "smtpctl transport-config set --message-retry-interval 5m"};
}

// Reference 10.3.
ObjectType system_message_type() {
    return {
        .name = "system-message",
        .plural = "system messages",
        .toml_name = "system_message",
        .doc = "Your own words for the person who reads a report with a status code.",
        .fields =
            {
                {.name = "code",
                 .kind = status_code,
                 .required = true,
                 .create_only = true,
                 .doc = "The report's status code, of class 4 or 5."},
                {.name = "internal",
                 .kind = boolean,
                 .defaults = {"false"},
                 .create_only = true,
                 .doc = "For senders in accepted domains; false: for all others."},
                {.name = "text",
                 .maximum = 512,
                 .required = true,
                 .doc = "Stands where the report explains what happened; plain text."},
            },
        .example =
            "smtpctl system-message create no-such-colleague --code 5.1.1 --internal true "
            "--text \"Nobody here has this address: look in the directory.\""};
}

}  // namespace mailflow::schema
