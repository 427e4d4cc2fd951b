#include "config/schema/send_connector_type.hpp"

#include "config/schema/field_builders.hpp"

namespace mailflow::schema {

namespace {

using enum ValueKind;

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
    };
}

}  // namespace

ObjectType send_connector_type() {
    auto fields = joined(purpose_fields(), way_fields());
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
