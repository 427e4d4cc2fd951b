#include "config/schema/address_types.hpp"
#include "config/schema/domain_types.hpp"
#include "config/schema/field_builders.hpp"
#include "config/schema/object_type.hpp"
#include "config/schema/receive_connector_type.hpp"
#include "config/schema/recipient_types.hpp"
#include "config/schema/transport_config_type.hpp"

#include <algorithm>

namespace mailflow::schema {

namespace {

using enum ValueKind;

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
        transport_config_type(),
        accepted_domain_type(),
        remote_domain_type(),
        address_policy_type(),
        address_rewrite_type(),
        system_message_type(),
        receive_connector_type(),
        {.name = "send-connector",
         .plural = "send connectors",
         .toml_name = "send_connector",
         .doc = "How mail leaves this server, and for which domains.",
         .can_be_disabled = true,
         .fields = send_connector_fields(),
         .example = "smtpctl send-connector create Internet --usage internet --address-space "
                    "\"smtp:*\""},
        mailbox_type(),
        contact_type(),
        group_type(),
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
            return field.flag == flag && !field.read_only;
        });
    return found == type.fields.end() ? nullptr : &*found;
}

}  // namespace mailflow::schema
