#include "config/schema/receive_connector_type.hpp"

#include "config/schema/field_builders.hpp"

namespace mailflow::schema {

namespace {

using enum ValueKind;

constexpr std::uint64_t kMaxOctetRate = 1073741824;  // 1 GiB a second

// Reference 2.2, 2.5, 2.6.
std::vector<Field> connection_fields() {
    return {
        {.name = "usage",
         .kind = choice,
         .defaults = {"custom"},
         .choices = {"internet", "client", "internal", "partner", "custom"},
         .create_only = true,
         .doc = "What the connector is for; fills fields that are not given at creation."},
        text_field("comment", "none", "A note for people."),
        flag_field("enabled", "true", "Whether the connector takes connections."),
        {.name = "bindings",
         .flag = "binding",
         .kind = endpoint,
         .list = true,
         .required = true,
         .doc = "Local addresses and ports to listen on; 0.0.0.0 and [::] stand for all of their "
                "family, port 0 for a free one."},
        {.name = "remote_ranges",
         .flag = "remote-range",
         .kind = ip_range,
         .list = true,
         .defaults = {"0.0.0.0-255.255.255.255", "::/0"},
         .doc = "Clients it serves; of several connectors on one binding the smallest range "
                "wins."},
        {.name = "permission_groups",
         .flag = "permission-group",
         .kind = choice,
         .list = true,
         .default_note = "none, so that nobody may send",
         .choices = {"anonymous", "authenticated", "partners", "trusted"},
         .doc = "Who may send, each group with its usual rights: anybody, who logged in, who "
                "showed a valid client certificate, everybody as one of our servers."},
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
        {.name = "fqdn",
         .kind = domain,
         .default_note = "the node's FQDN",
         .doc = "Name in the greeting, the EHLO reply and the Received field; chooses the "
                "certificate."},
        text_field(
            "banner", "a greeting with the FQDN", "The whole greeting line; starts with `220 `."),
    };
}

// Reference 2.4, 13.2.
std::vector<Field> security_fields() {
    return {
        choice_field(
            "tls",
            "opportunistic",
            {"none", "opportunistic", "required", "implicit"},
            "STARTTLS is not offered, offered, or needed before MAIL; implicit: TLS on connect."),
        text_field(
            "certificate",
            "chosen by the FQDN and the name the client asks for",
            "Name or thumbprint of the one certificate to use."),
        choice_field(
            "client_certificates",
            "none",
            {"none", "request", "require"},
            "Whether clients are asked for a certificate; require: no mail without a valid one."),
        {.name = "auth_mechanisms",
         .flag = "auth-mechanism",
         .kind = choice,
         .list = true,
         .default_note = "none, so that AUTH is not offered",
         .choices = {"plain", "login", "scram-sha-256", "scram-sha-256-plus", "external"},
         .doc = "Ways to log in; who does belongs to the group authenticated."},
        flag_field(
            "auth_requires_tls",
            "true",
            "AUTH is offered and taken inside TLS only; false lets passwords cross the network in "
            "clear."),
        {.name = "proxy_protocol_from",
         .flag = "proxy-protocol-from",
         .kind = ip_range,
         .list = true,
         .default_note = "none",
         .doc = "Balancers, which must begin with a PROXY header, version 1 or 2, on every "
                "connector of "
                "these bindings; connector, limits and log go by the client it names."},
        {.name = "xclient_from",
         .flag = "xclient-from",
         .kind = ip_range,
         .list = true,
         .default_note = "none",
         .doc = "Proxies that may say by XCLIENT on whose behalf they speak."},
    };
}

// RFC 6409; reference 2.6.
std::vector<Field> submission_fields() {
    return {
        flag_field(
            "submission",
            "false",
            "Mail taken here is completed (Date, Message-ID, bare addresses, no Bcc); else only "
            "trace fields are added."),
        choice_field(
            "sender_policy",
            "refuse",
            {"refuse", "fix", "ignore"},
            "With submission: a From that is not the account's is refused, or gets a Sender field "
            "(fix), or passes."),
        {.name = "default_domain",
         .kind = domain,
         .default_note = "the default accepted domain",
         .doc = "With submission: the accepted domain that completes addresses without one."},
    };
}

// EHLO keywords, in the order in which the reply lists them.
std::vector<Field> extension_fields() {
    const auto keyword = [](std::string_view name, std::string_view doc) {
        return flag_field(name, "true", doc);
    };
    return {
        choice_field(
            "size_enabled",
            "enabled",
            {"enabled", "disabled", "enabled-without-value"},
            "SIZE (RFC 1870): with the limit, not at all, or without a number."),
        keyword("pipelining_enabled", "PIPELINING (RFC 2920)."),
        keyword("eight_bit_mime_enabled", "8BITMIME (RFC 6152)."),
        keyword(
            "binary_mime_enabled",
            "BINARYMIME (RFC 3030), for sessions that are not anonymous; needs chunking_enabled."),
        keyword("chunking_enabled", "CHUNKING, the command BDAT (RFC 3030)."),
        keyword("smtp_utf8_enabled", "SMTPUTF8 (RFC 6531)."),
        keyword("delivery_status_notification_enabled", "DSN (RFC 3461)."),
        keyword("enhanced_status_codes_enabled", "ENHANCEDSTATUSCODES (RFC 2034)."),
        keyword("require_tls_enabled", "REQUIRETLS (RFC 8689), inside TLS."),
        keyword("limits_enabled", "LIMITS (RFC 9422)."),
        keyword("mt_priority_enabled", "MT-PRIORITY (RFC 6710)."),
        keyword("future_release_enabled", "FUTURERELEASE (RFC 4865), once logged in."),
        keyword("deliver_by_enabled", "DELIVERBY (RFC 2852)."),
    };
}

std::vector<Field> manner_fields() {
    return {
        choice_field(
            "verify",
            "nobody",
            {"nobody", "authenticated", "everybody"},
            "Who learns from VRFY whether a recipient exists; others get 252."),
        flag_field(
            "require_ehlo_domain", "false", "EHLO and HELO must give a domain or an address."),
        choice_field(
            "bare_newline",
            "reject",
            {"reject", "normalize"},
            "A message with CR or LF alone is refused, or made CRLF (old printers and scripts)."),
        flag_field(
            "reject_reserved_top_level_recipient_domains",
            "false",
            "Refuses recipients in .test, .example, .invalid and .localhost with 5.1.4."),
        flag_field(
            "reject_reserved_second_level_recipient_domains",
            "false",
            "Refuses recipients in example.com, .net and .org with 5.1.5."),
        flag_field(
            "reject_single_label_recipient_domains",
            "false",
            "Refuses recipients such as user@host with 5.1.6."),
    };
}

// Reference 2.8; sizes from the defaults that fit together.
std::vector<Field> message_limit_fields() {
    return {
        or_unlimited(limited(
            size,
            "max_message_size",
            "36 MB",
            {64 * kKilobyte, kMaxInt},
            "Largest message taken; announced in SIZE.")),
        limited(
            size,
            "max_header_size",
            "256 KB",
            {1, kMaxInt},
            "Largest header of a message, all fields together."),
        limited(
            integer,
            "max_hop_count",
            "30",
            {1, 500},
            "Received fields a message may have; transport-config has a limit for all "
            "connectors, and the lower one rules."),
        limited(
            integer,
            "max_local_hop_count",
            "8",
            {0, 50},
            "Received fields that name this node; 0 does not check."),
        limited(
            integer,
            "max_recipients_per_message",
            "200",
            {1, 512000},
            "Recipients of one message; further ones get 452, those before them stay."),
        or_unlimited(limited(
            integer,
            "max_messages_per_connection",
            kUnlimited,
            {1, kMaxInt},
            "MAIL commands of one session, announced as MAILMAX (RFC 9422); the next one ends the "
            "session with 421.")),
        or_unlimited(limited(
            integer,
            "max_protocol_errors",
            "5",
            {0, kMaxInt},
            "Syntax and sequence errors before the session is closed.")),
        limited(
            integer,
            "max_logon_failures",
            "3",
            {0, 10},
            "Failed logins before the session is closed; 0 never closes."),
    };
}

std::vector<Field> rate_limit_fields() {
    const auto rate = [](std::string_view name, std::string_view doc) {
        return or_unlimited(limited(integer, name, kUnlimited, {1, kMaxInt}, doc));
    };
    return {
        or_unlimited(limited(
            integer, "max_inbound_connection", "5000", {1, kMaxInt}, "Sessions at one time.")),
        or_unlimited(limited(
            integer,
            "max_inbound_connection_per_source",
            "20",
            {1, 10000},
            "Sessions of one client address (IPv6: /64) at one time; loopback is exempt.")),
        limited(
            integer,
            "max_inbound_connection_percentage_per_source",
            "2",
            {1, 100},
            "Share of the free sessions one client address may hold; loopback is exempt."),
        choice_field(
            "message_rate_source",
            "ip-address",
            {"none", "ip-address", "user", "all"},
            "What the four rates are counted by: nothing, the client's address, the account (the "
            "address before login), or both."),
        rate("message_rate_limit", "Messages a minute of one source."),
        rate("message_rate_limit_per_hour", "Messages an hour of one source."),
        rate("recipient_rate_limit", "Recipients a minute of one source."),
        rate("recipient_rate_limit_per_hour", "Recipients an hour of one source."),
    };
}

std::vector<Field> time_fields() {
    return {
        limited(
            integer,
            "min_data_rate",
            "500",
            {0, kMaxOctetRate},
            "Octets a second a client must bring inside a message; 0 does not check."),
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
        limited(
            duration,
            "auth_tarpit_interval",
            "5s",
            {0, 10 * kMinute},
            "Delay before the answer to a failed login; 0 is off."),
        choice_field(
            "protocol_log",
            "none",
            {"none", "verbose"},
            "verbose writes every command and reply, secrets masked; smtpctl log tail shows them."),
    };
}

}  // namespace

ObjectType receive_connector_type() {
    struct Part {
        std::string_view heading;
        std::vector<Field> (*fields)();
    };

    std::vector<Field> fields;
    for (const auto& part : {
             Part{"Who and where", connection_fields},
             Part{"TLS, logins and proxies", security_fields},
             Part{"Submission", submission_fields},
             Part{"Limits of a message and a session", message_limit_fields},
             Part{"Limits of a client", rate_limit_fields},
             Part{"Time and log", time_fields},
             Part{"Manners", manner_fields},
             Part{"EHLO keywords", extension_fields},
         }) {
        auto own = part.fields();
        own.front().heading = part.heading;
        fields = joined(std::move(fields), std::move(own));
    }
    return {
        .name = "receive-connector",
        .plural = "receive connectors",
        .toml_name = "receive_connector",
        .doc = "Who may send mail to this server, and how.",
        .can_be_disabled = true,
        .fields = std::move(fields),
        .example =
            "smtpctl receive-connector create \"Local applications\" --binding "
            "127.0.0.1:2526 --remote-range 127.0.0.0/8 --permission-group anonymous "
            "--permission any-recipient"};
}

}  // namespace mailflow::schema
