#include "config/send_connector_document.hpp"

#include "transport/base/ascii.hpp"

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr Word<SendUsage> kUsages[] = {
    {"custom", SendUsage::custom},
    {"internal", SendUsage::internal},
    {"internet", SendUsage::internet},
    {"partner", SendUsage::partner},
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
    return connector;
}

Node read_node(const std::string& name, const DocumentReader& reader) {
    return {name, reader.text("fqdn"), reader.text("site")};
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

}  // namespace mailflow
