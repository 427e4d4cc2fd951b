#include "config/schema/domain_types.hpp"

#include "config/schema/field_builders.hpp"

namespace mailflow::schema {

namespace {

using enum ValueKind;

// Reference 3.1.
std::vector<Field> accepted_domain_fields() {
    return {
        {.name = "domain",
         .kind = domain_space,
         .default_note = "the object's name",
         .create_only = true,
         .doc = "The domain; `*.contoso.com` is contoso.com and everything below it."},
        choice_field(
            "type",
            "authoritative",
            {"authoritative", "internal-relay", "external-relay"},
            "Unknown recipients are refused (authoritative), relayed if not found here "
            "(internal-relay) or always relayed (external-relay)."),
        flag_field(
            "default",
            "false",
            "The domain of new mailboxes and of the bare postmaster; exactly one has it, and "
            "setting it takes it from the other."),
        {.name = "catch_all",
         .kind = recipient,
         .default_note = "none",
         .doc = "Recipient that gets what nobody else of an authoritative or internal-relay domain "
                "has."},
        {.name = "recipient_delimiter",
         .kind = choice,
         .default_note = "none",
         .choices = {"+", "-", "_", "=", ".", "#"},
         .doc = "With `+`, bob+lists@ is bob@ where nobody is bob+lists@."},
    };
}

// Reference 5.5.
std::vector<Field> remote_domain_fields() {
    return {
        {.name = "domain",
         .kind = any_domain_space,
         .default_note = "the object's name",
         .create_only = true,
         .doc = "The domain; the longest match rules, and `*`, every other one, is the entry "
                "Default."},
        flag_field(
            "auto_reply_enabled",
            "true",
            "Automatic replies (out of office) may leave to it; else they are deleted."),
        flag_field(
            "auto_forward_enabled",
            "true",
            "Mail that a mailbox forwards may leave to it; else that copy is deleted."),
        flag_field("ndr_enabled", "true", "Reports of failure may leave to it."),
        flag_field(
            "delivery_report_enabled", "true", "Reports of delivery and relay may leave to it."),
        flag_field(
            "ndr_diagnostic_info_enabled",
            "true",
            "Reports to it hold the part for administrators."),
    };
}

}  // namespace

ObjectType accepted_domain_type() {
    return {
        .name = "accepted-domain",
        .plural = "accepted domains",
        .toml_name = "accepted_domain",
        .doc = "A domain mail is accepted for, and what happens to recipients not known here.",
        .fields = accepted_domain_fields(),
        .example = "smtpctl accepted-domain create contoso.com --type authoritative"};
}

ObjectType remote_domain_type() {
    return {
        .name = "remote-domain",
        .plural = "remote domains",
        .toml_name = "remote_domain",
        .doc = "Which automatic mail and which reports may leave to a domain.",
        .fields = remote_domain_fields(),
        .example = "smtpctl remote-domain create fabrikam.com --auto-forward-enabled false"};
}

}  // namespace mailflow::schema
