#include "config/organization_documents.hpp"

#include "config/field_syntax.hpp"

#include <utility>

namespace mailflow {

namespace {

constexpr Word<AcceptedDomainType> kDomainTypes[] = {
    {"authoritative", AcceptedDomainType::authoritative},
    {"internal-relay", AcceptedDomainType::internal_relay},
    {"external-relay", AcceptedDomainType::external_relay},
};
constexpr Word<RecipientKind> kRecipientKinds[] = {
    {"mailbox", RecipientKind::mailbox},
    {"contact", RecipientKind::contact},
    {"group", RecipientKind::group},
};
constexpr Word<ForwardedSender> kForwardedSenders[] = {
    {"srs", ForwardedSender::srs},
    {"mailbox", ForwardedSender::mailbox},
    {"keep", ForwardedSender::keep},
};
constexpr Word<DoubleBounce> kDoubleBounces[] = {
    {"postmaster", DoubleBounce::postmaster},
    {"drop", DoubleBounce::drop},
};

struct DomainSpace {
    DomainName domain;
    bool include_subdomains = false;
};

// `contoso.com`, `*.contoso.com`.
DomainSpace read_space(const std::string& written) {
    const bool wildcard = written.starts_with("*.");
    return {DomainName::parse(wildcard ? written.substr(2) : written).value(), wildcard};
}

}  // namespace

AcceptedDomain read_accepted_domain(const std::string& name, const DocumentReader& reader) {
    auto space = read_space(reader.text("domain"));
    return {
        .name = name,
        .domain = std::move(space.domain),
        .include_subdomains = space.include_subdomains,
        .type = reader.choice("type", kDomainTypes),
        .is_default = reader.boolean("default"),
        .catch_all = reader.text("catch_all"),
        .recipient_delimiter = reader.text("recipient_delimiter"),
    };
}

RemoteDomain read_remote_domain(const std::string& name, const DocumentReader& reader) {
    RemoteDomain entry;
    entry.name = name;
    if (const auto written = reader.text("domain"); written != "*") {
        auto space = read_space(written);
        entry.domain = std::move(space.domain);
        entry.include_subdomains = space.include_subdomains;
    }
    entry.auto_reply_enabled = reader.boolean("auto_reply_enabled");
    entry.auto_forward_enabled = reader.boolean("auto_forward_enabled");
    entry.ndr_enabled = reader.boolean("ndr_enabled");
    entry.delivery_report_enabled = reader.boolean("delivery_report_enabled");
    entry.ndr_diagnostic_info_enabled = reader.boolean("ndr_diagnostic_info_enabled");
    return entry;
}

AddressPolicy read_address_policy(const std::string& name, const DocumentReader& reader) {
    AddressPolicy policy;
    policy.name = name;
    policy.priority = reader.is_word("priority") ? kLowestPriority : reader.number("priority");
    // The primary is the first, marked `SMTP:`.
    for (const auto& written : reader.list("templates")) {
        auto text = written.substr(written.find(':') + 1);
        if (policy.primary_template.empty()) {
            policy.primary_template = std::move(text);
        } else {
            policy.secondary_templates.push_back(std::move(text));
        }
    }
    for (const auto& written : reader.list("included_recipients")) {
        if (written != "all") {
            policy.included_recipients.push_back(value_of_word(written, kRecipientKinds));
        }
    }
    for (const auto& field : schema::find_type("address-policy")->fields) {
        if (!field.name.starts_with(kConditionPrefix)) continue;
        auto values = reader.list(field.name);
        if (!values.empty()) {
            policy.conditions.push_back(
                {std::string(field.name.substr(kConditionPrefix.size())), std::move(values)});
        }
    }
    policy.recipient_filter = reader.text("recipient_filter");
    policy.applied = reader.boolean("applied");
    return policy;
}

AddressRewrite read_address_rewrite(const std::string& name, const DocumentReader& reader) {
    AddressRewrite entry;
    entry.name = name;
    entry.internal = parse_address_pattern(reader.text("internal")).value();
    entry.external = parse_address_pattern(reader.text("external")).value();
    for (const auto& text : reader.list("exceptions")) {
        entry.exceptions.push_back(DomainName::parse(text).value());
    }
    entry.outbound_only = reader.boolean("outbound_only");
    entry.rewrite_recipient_fields = reader.boolean("rewrite_recipient_fields");
    return entry;
}

SystemMessage read_system_message(const std::string& name, const DocumentReader& reader) {
    return {
        .name = name,
        .code = EnhancedStatus::parse(reader.text("code")).value(),
        .internal = reader.boolean("internal"),
        .text = reader.text("text"),
    };
}

namespace {

void read_limits(const DocumentReader& reader, TransportSettings& settings) {
    settings.max_send_size = reader.size_limit("max_send_size");
    settings.max_receive_size = reader.size_limit("max_receive_size");
    settings.max_recipient_envelope_limit = reader.number("max_recipient_envelope_limit");
    settings.max_outbound_connections = reader.limit("max_outbound_connections");
    settings.max_per_domain_outbound_connections =
        reader.limit("max_per_domain_outbound_connections");
    settings.max_hop_count = reader.number("max_hop_count");
    settings.dsn_max_message_attach_size = reader.size("dsn_max_message_attach_size");
    settings.tracking_retention_days = reader.number("tracking_retention_days");
    settings.auth_failure_limit_per_source = reader.limit("auth_failure_limit_per_source");
    settings.auth_failure_limit_per_account = reader.limit("auth_failure_limit_per_account");
    for (const auto& text : reader.list("auth_failure_exempt_ranges")) {
        settings.auth_failure_exempt_ranges.push_back(IpRange::parse(text).value());
    }
}

void read_clocks(const DocumentReader& reader, TransportSettings& settings) {
    settings.queue_glitch_retry_count = reader.number("queue_glitch_retry_count");
    settings.queue_glitch_retry_interval = reader.duration("queue_glitch_retry_interval");
    settings.transient_failure_retry_count = reader.number("transient_failure_retry_count");
    settings.transient_failure_retry_interval = reader.duration("transient_failure_retry_interval");
    settings.outbound_connection_failure_retry_interval =
        reader.duration("outbound_connection_failure_retry_interval");
    settings.long_retry_after = reader.duration("long_retry_after");
    settings.long_retry_interval = reader.duration("long_retry_interval");
    settings.message_retry_interval = reader.duration("message_retry_interval");
    settings.message_expiration_timeout = reader.duration("message_expiration_timeout");
    settings.delay_notification_timeout = reader.duration("delay_notification_timeout");
    settings.delay_dsn_enabled = reader.boolean("delay_dsn_enabled");
}

void read_flow_and_reports(const DocumentReader& reader, TransportSettings& settings) {
    settings.recipient_validation = reader.boolean("recipient_validation");
    settings.always_bcc = reader.address("always_bcc");
    settings.forwarded_sender = reader.choice("forwarded_sender", kForwardedSenders);
    settings.rewrite_sender_to_primary = reader.boolean("rewrite_sender_to_primary");
    settings.expansion_size_limit = reader.number("expansion_size_limit");
    settings.external_postmaster_address = reader.address("external_postmaster_address");
    settings.dsn_reporting_authority = reader.domain("dsn_reporting_authority");
    for (const auto& text : reader.list("generate_copy_of_dsn_for")) {
        settings.generate_copy_of_dsn_for.push_back(EnhancedStatus::parse(text).value());
    }
    settings.double_bounce = reader.choice("double_bounce", kDoubleBounces);
    settings.dsn_rate_limit = reader.limit("dsn_rate_limit");
}

}  // namespace

TransportSettings read_transport_settings(const DocumentReader& reader) {
    TransportSettings settings;
    read_limits(reader, settings);
    read_clocks(reader, settings);
    read_flow_and_reports(reader, settings);
    return settings;
}

}  // namespace mailflow
