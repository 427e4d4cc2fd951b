#include "config/schema/recipient_types.hpp"

#include "config/schema/field_builders.hpp"

namespace mailflow::schema {

namespace {

using enum ValueKind;

constexpr std::uint64_t kMaxAttributeLength = 256;

constexpr std::string_view kCustomAttributes[] = {
    "custom_attribute_1",
    "custom_attribute_2",
    "custom_attribute_3",
    "custom_attribute_4",
    "custom_attribute_5",
    "custom_attribute_6",
    "custom_attribute_7",
    "custom_attribute_8",
    "custom_attribute_9",
    "custom_attribute_10",
    "custom_attribute_11",
    "custom_attribute_12",
    "custom_attribute_13",
    "custom_attribute_14",
    "custom_attribute_15",
};

Field attribute(std::string_view name, std::string_view doc) {
    return {.name = name, .default_note = "none", .maximum = kMaxAttributeLength, .doc = doc};
}

Field recipients_field(std::string_view name, std::string flag, std::string_view doc) {
    return {
        .name = name,
        .flag = std::move(flag),
        .kind = recipient,
        .list = true,
        .default_note = "none",
        .doc = doc};
}

Field size_limit(std::string_view name, std::string_view doc) {
    return or_unlimited(limited(size, name, "unlimited", {0, kMaxInt}, doc));
}

Field alias_field() {
    return {
        .name = "alias",
        .default_note = "the object's name",
        .doc = "Local part of generated addresses and, of a mailbox, folder of the mail; unique."};
}

Field addresses_field(std::string_view default_note) {
    return {
        .name = "addresses",
        .flag = "address",
        .kind = proxy_address,
        .list = true,
        .default_note = default_note,
        .doc =
            "`SMTP:` marks the one primary address, `smtp:` or nothing the others; without "
            "a mark the first is primary."};
}

Field policy_field() {
    return flag_field(
        "address_policy_enabled",
        "true",
        "Whether address policies manage its addresses; false: they are managed by hand.");
}

// Reference 5.1, 4.7.
std::vector<Field> person_fields() {
    return {
        text_field("first_name", "none", "Given name."),
        text_field("initials", "none", "Initials of the middle names."),
        text_field("last_name", "none", "Family name."),
        text_field(
            "display_name", "first and last name, else the object's name", "Name people see."),
    };
}

std::vector<Field> custom_attribute_fields() {
    std::vector<Field> fields;
    for (const auto name : kCustomAttributes)
        fields.push_back(attribute(name, "Whatever you filter recipients by."));
    return fields;
}

// What policies filter by and people look for.
std::vector<Field> attribute_fields() {
    return joined(
        {
            attribute("company", "Company."),
            attribute("department", "Department."),
            attribute("title", "Job title."),
            attribute("office", "Office."),
            attribute("city", "City."),
            attribute("state_or_province", "State or province."),
            attribute("country_or_region", "Country or region."),
        },
        custom_attribute_fields());
}

// Reference 5.2: who may send to a recipient, and how much.
std::vector<Field> restriction_fields(std::string_view authenticated) {
    return {
        recipients_field(
            "accept_from",
            "accept-from",
            "Only these may send to it; a group stands for its members; empty: everyone."),
        recipients_field(
            "reject_from", "reject-from", "These may not send to it, whatever accept_from says."),
        flag_field(
            "require_authenticated_sender",
            authenticated,
            "Only senders who logged in, and trusted servers, may send to it."),
        size_limit(
            "max_receive_size", "Largest message to it; unlimited: what the organization allows."),
    };
}

std::vector<Field> sending_fields() {
    return {
        size_limit(
            "max_send_size", "Largest message from it; unlimited: what the organization allows."),
        or_unlimited(limited(
            integer,
            "max_recipients",
            "unlimited",
            {1, kMaxInt},
            "Recipients of a message from it; unlimited: what the organization allows.")),
        choice_field(
            "rewrite_sender_to_primary",
            "inherit",
            {"inherit", "true", "false"},
            "Whether its mail leaves with its primary address; inherit: as transport-config "
            "says."),
    };
}

std::vector<Field> login_fields() {
    return {
        text_field(
            "upn",
            "the primary address",
            "Login name, local@domain; the addresses, the alias and DOMAIN\\alias log in too."),
        {.name = "password",
         .kind = secret,
         .default_note = "none, so that nobody logs in",
         .doc = "Password of the login; kept as a SCRAM-SHA-256 verifier and never shown."},
        recipients_field(
            "send_as", "send-as", "Other mailboxes whose owners may send as this one."),
    };
}

// Reference 5.2: where a mailbox's mail goes.
std::vector<Field> delivery_fields() {
    return {
        {.name = "delivery_target",
         .kind = delivery_target,
         .defaults = {"maildir"},
         .doc = "Where its mail is put. TEMPLATE is a folder, absolute or below the mail folder: "
                "%m is the alias, %u and %d are local part and domain of the primary address."},
        {.name = "forwarding_recipient",
         .kind = recipient,
         .default_note = "none",
         .doc = "Recipient of ours that gets its mail; beats forwarding_address."},
        {.name = "forwarding_address",
         .kind = email_address,
         .default_note = "none",
         .doc = "Any address that gets its mail, where remote-domain allows it."},
        flag_field("deliver_and_forward", "false", "Whether forwarded mail is kept here too."),
    };
}

// Reference 5.3.
std::vector<Field> membership_fields() {
    return {
        recipients_field("members", "member", "Who gets mail for the group; groups may nest."),
        recipients_field("owners", "owner", "Who answers for the group."),
        flag_field(
            "report_to_owner",
            "false",
            "Members' failures are reported to the first owner, not to the sender."),
        flag_field(
            "report_to_originator",
            "true",
            "Members' failures are reported to the sender; never together with report_to_owner; "
            "neither: to nobody."),
        flag_field(
            "send_oof_to_originator",
            "false",
            "Whether members' automatic replies reach the sender."),
    };
}

}  // namespace

ObjectType mailbox_type() {
    auto fields = joined({alias_field()}, person_fields());
    fields.push_back(addresses_field("as the address policy says"));
    fields.push_back(policy_field());
    fields = joined(std::move(fields), login_fields());
    fields = joined(std::move(fields), delivery_fields());
    fields = joined(std::move(fields), restriction_fields("false"));
    fields = joined(std::move(fields), sending_fields());
    return {
        .name = "mailbox",
        .plural = "mailboxes",
        .toml_name = "mailbox",
        .doc = "A recipient whose mail is delivered here.",
        .is_recipient = true,
        .fields = joined(std::move(fields), attribute_fields()),
        .example = "smtpctl mailbox create alice --first-name Alice --last-name Smith"};
}

ObjectType contact_type() {
    auto fields = joined({alias_field()}, person_fields());
    fields.push_back(
        {.name = "external_address",
         .kind = email_address,
         .required = true,
         .doc = "Where the person really gets mail."});
    fields.push_back(addresses_field("the external address"));
    fields.push_back(policy_field());
    fields = joined(std::move(fields), restriction_fields("false"));
    return {
        .name = "contact",
        .plural = "contacts",
        .toml_name = "contact",
        .doc = "A person elsewhere, known here by an address of ours too.",
        .is_recipient = true,
        .fields = joined(std::move(fields), attribute_fields()),
        .example = "smtpctl contact create \"Carol Jones\" --external-address carol@fabrikam.com"};
}

ObjectType group_type() {
    std::vector<Field> fields = {
        alias_field(),
        text_field("display_name", "the object's name", "Name people see."),
        addresses_field("as the address policy says"),
        policy_field(),
    };
    fields = joined(std::move(fields), membership_fields());
    fields = joined(std::move(fields), restriction_fields("true"));
    return {
        .name = "group",
        .plural = "groups",
        .toml_name = "group",
        .doc = "A list of recipients that get the mail sent to it.",
        .is_recipient = true,
        .fields = joined(std::move(fields), custom_attribute_fields()),
        .example =
            "smtpctl group create Sales --member alice --member \"Carol Jones\" --owner "
            "alice"};
}

}  // namespace mailflow::schema
