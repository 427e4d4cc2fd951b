#include "config/schema/send_connector_type.hpp"

#include "config/schema/field_builders.hpp"

namespace mailflow::schema {

namespace {

using enum ValueKind;

Field optional_limit(std::string_view name, std::string_view default_note, std::string_view doc) {
    return {
        .name = name,
        .kind = integer,
        .default_note = default_note,
        .minimum = 1,
        .maximum = kMaxInt,
        .doc = doc};
}

// Reference 1.1, 1.3.
std::vector<Field> purpose_fields() {
    return {
        flag_field("enabled", "true", "Whether routing sees the connector."),
        {.name = "usage",
         .kind = choice,
         .defaults = {"custom"},
         .choices = {"custom", "internal", "internet", "partner"},
         .create_only = true,
         .doc = "What the connector is for: internet and partner route by MX, internal has no size "
                "limit, where nothing else is said; custom presets nothing."},
        {.name = "comment", .default_note = "none", .maximum = 256, .doc = "A note for people."},
        {.name = "address_spaces",
         .flag = "address-space",
         .kind = address_space,
         .list = true,
         .required = true,
         .doc = "Domains it takes, with a cost of 1 to 100 (1 when left out); the most specific "
                "space wins, then the lowest cost."},
        flag_field(
            "scoped", "false", "Only nodes of the source servers' sites may use the connector."),
        {.name = "source_servers",
         .flag = "source-server",
         .kind = domain,
         .list = true,
         .default_note = "this node",
         .doc = "FQDNs of the nodes that send through it; on any other its messages wait."},
    };
}

std::vector<Field> way_fields() {
    return {
        {.name = "routing",
         .kind = choice,
         .default_note = "smart-hosts when smart_hosts is given, else mx",
         .choices = {"mx", "smart-hosts"},
         .doc = "By the MX records of the recipient's domain, or to smart hosts.",
         .heading = "The way out"},
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
        {.name = "source_address",
         .kind = ip_address,
         .default_note = "any",
         .doc = "Address of this host that connections leave from; only remote addresses of its "
                "family are tried then."},
        limited(
            integer,
            "max_messages_per_connection",
            "20",
            {1, kMaxInt},
            "Messages after which a connection is closed and another opened."),
        optional_limit(
            "max_outbound_connections",
            "no limit but transport-config's",
            "Connections of this connector at the same time."),
        optional_limit(
            "max_per_domain_outbound_connections",
            "transport-config's",
            "Connections to one destination at the same time."),
        limited(
            duration,
            "connection_inactivity_timeout",
            "10m",
            {kSecond, kDay},
            "How long a connection may stand still: waiting for a reply, or kept for a further "
            "message."),
        flag_field(
            "force_helo",
            "false",
            "Say HELO, never EHLO: no STARTTLS, no AUTH, no extension at all."),
        flag_field(
            "send_routing_headers",
            "true",
            "Whether Received and Resent fields leave with messages."),
    };
}

// Reference 1.1, ErrorPolicies.
std::vector<Field> failure_fields() {
    return {
        {.name = "error_policies",
         .flag = "error-policy",
         .kind = choice,
         .list = true,
         .default_note = "none: a permanent answer is a bounce, a temporary one is tried again",
         .choices =
             {"downgrade-dns-failures", "downgrade-custom-failures", "upgrade-custom-failures"},
         .doc = "What is judged otherwise: permanent answers of the DNS or the replies of "
                "downgrade_replies are tried again, those of upgrade_replies are bounces.",
         .heading = "Failures"},
        {.name = "downgrade_replies",
         .flag = "downgrade-reply",
         .list = true,
         .default_note = "none",
         .doc = "Permanent replies, by code or status code (550, 5.7.1), for "
                "downgrade-custom-failures."},
        {.name = "upgrade_replies",
         .flag = "upgrade-reply",
         .list = true,
         .default_note = "none",
         .doc = "Temporary replies, by code or status code (450, 4.7.1), for "
                "upgrade-custom-failures."},
    };
}

// Reference 1.6.
std::vector<Field> tls_fields() {
    return {
        {.name = "require_tls",
         .kind = boolean,
         .defaults = {"false"},
         .doc = "Every message goes inside TLS, or waits.",
         .heading = "TLS"},
        flag_field("ignore_starttls", "false", "Never use STARTTLS."),
        {.name = "tls_auth_level",
         .kind = choice,
         .default_note = "none",
         .choices = {"encryption-only", "certificate-validation", "domain-validation"},
         .doc = "With require_tls: whether a certificate must be trusted, and whether it must "
                "have the name, too."},
        {.name = "tls_domain",
         .kind = domain_space,
         .default_note = "the recipient's domain",
         .doc = "The name for domain-validation."},
        {.name = "certificate",
         .default_note = "none is shown",
         .maximum = 255,
         .doc = "Name or thumbprint of the certificate this host shows when it is asked for one."},
        flag_field(
            "dane",
            "true",
            "Obey TLSA records of MX hosts (RFC 7672), where the resolver proves them."),
        flag_field("mta_sts", "true", "Obey MTA-STS policies of domains (RFC 8461)."),
    };
}

std::vector<Field> login_fields() {
    return {
        {.name = "auth",
         .kind = choice,
         .defaults = {"none"},
         .choices = {"none", "basic", "basic-require-tls", "oauth2"},
         .doc = "Log-in at the smart hosts: by the strongest of SCRAM-SHA-256, LOGIN and PLAIN, "
                "only inside TLS whose certificate names the smart host, or by an access token.",
         .heading = "Log-in at smart hosts"},
        {.name = "username",
         .default_note = "none",
         .maximum = 255,
         .doc = "The account; with oauth2 the mailbox to send as."},
        {.name = "password", .kind = secret, .default_note = "none", .doc = "Of the account."},
        {.name = "oauth2_token_url",
         .default_note = "none",
         .maximum = 1000,
         .doc = "Where access tokens are given (https)."},
        {.name = "oauth2_client_id",
         .default_note = "none",
         .maximum = 255,
         .doc = "Under which this server is registered there."},
        {.name = "oauth2_scope",
         .default_note = "none",
         .maximum = 1000,
         .doc = "What tokens are asked for."},
        {.name = "oauth2_client_secret",
         .kind = secret,
         .default_note = "none",
         .maximum = 4096,
         .doc = "For the client credentials grant, or beside a refresh token."},
        {.name = "oauth2_refresh_token",
         .kind = secret,
         .default_note = "none",
         .maximum = 8192,
         .doc = "For the refresh token grant."},
    };
}

}  // namespace

namespace {

std::vector<Field> which_destinations() {
    return {
        limited(
            integer,
            "priority",
            "100",
            {1, 10000},
            "The first that matches rules, the lowest number first, then by name."),
        flag_field("enabled", "true", "Whether the policy is asked."),
        flag_field("dry_run", "false", "Only say in the log what it would have done."),
        {.name = "domains",
         .flag = "domain",
         .kind = domain_space,
         .list = true,
         .default_note = "any",
         .doc = "Recipients' domains it is for."},
        {.name = "mx_hosts",
         .flag = "mx-host",
         .kind = domain_space,
         .list = true,
         .default_note = "any",
         .doc = "Hosts that take the destination's mail, one of which it is for."},
        {.name = "connectors",
         .flag = "connector",
         .list = true,
         .default_note = "any",
         .doc = "Names of the send connectors it is for."},
    };
}

std::vector<Field> what_is_allowed() {
    return {
        optional_limit("max_connections", "the connector's", "Connections at the same time."),
        optional_limit(
            "max_messages_per_connection",
            "the connector's",
            "Messages after which a connection is closed."),
        optional_limit("max_recipients_per_message", "100", "Recipients of one transaction."),
        optional_limit(
            "connection_rate_per_minute", "no limit", "Connections that are opened in a minute."),
        optional_limit("message_rate_per_minute", "no limit", "Messages in a minute."),
        {.name = "slow_replies",
         .flag = "slow-reply",
         .list = true,
         .default_note = "none but what is known to mean it",
         .doc = "Replies, by a part of their text or by status code, that ask to slow down."},
        {.name = "back_off",
         .kind = duration,
         .default_note = "as a failure",
         .minimum = kSecond,
         .maximum = kDay,
         .doc = "How long nothing is sent after one of slow_replies."},
    };
}

}  // namespace

ObjectType destination_policy_type() {
    auto fields = joined(which_destinations(), what_is_allowed());
    fields.front().heading = "Which destinations";
    for (auto& field : fields) {
        if (field.name == "max_connections") field.heading = "What is allowed";
    }
    return {
        .name = "destination-policy",
        .plural = "destination policies",
        .toml_name = "destination_policy",
        .doc = "How hard a destination may be pressed: connections, messages and rates.",
        .can_be_disabled = true,
        .fields = std::move(fields),
        .example =
            "smtpctl destination-policy create Fabrikam --domain fabrikam.com "
            "--max-connections 2 --message-rate-per-minute 60"};
}

ObjectType send_connector_type() {
    auto fields = joined(purpose_fields(), way_fields());
    for (auto more : {failure_fields(), tls_fields(), login_fields()}) {
        fields = joined(std::move(fields), std::move(more));
    }
    fields.front().heading = "Purpose";
    return {
        .name = "send-connector",
        .plural = "send connectors",
        .toml_name = "send_connector",
        .doc = "How mail leaves this server, and for which domains.",
        .can_be_disabled = true,
        .fields = std::move(fields),
        .example =
            "smtpctl send-connector create Internet --usage internet --address-space "
            "'*'"};
}

ObjectType node_type() {
    return {
        .name = "node",
        .plural = "nodes",
        .toml_name = "node",
        .doc =
            "A server of the organization. The one that is asked makes its own entry, from "
            "[node] of its bootstrap file.",
        .fields =
            {{.name = "fqdn",
              .kind = ValueKind::domain,
              .default_note = "the object's name",
              .doc = "The name by which source_servers mean it."},
             {.name = "site",
              .defaults = {"default"},
              .maximum = kMaxNameLength,
              .doc = "Where it stands; scoped send connectors are for the nodes of one site."}},
        .example = "smtpctl node create mx2.contoso.com --site paris"};
}

}  // namespace mailflow::schema
