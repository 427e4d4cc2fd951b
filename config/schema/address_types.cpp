#include "config/schema/address_types.hpp"

#include "config/schema/field_builders.hpp"

namespace mailflow::schema {

namespace {

using enum ValueKind;

constexpr std::uint64_t kMaxFilterLength = 4096;
constexpr std::uint64_t kMaxPriority = 10000;

constexpr std::string_view kCustomConditions[] = {
    "conditional_custom_attribute_1",
    "conditional_custom_attribute_2",
    "conditional_custom_attribute_3",
    "conditional_custom_attribute_4",
    "conditional_custom_attribute_5",
    "conditional_custom_attribute_6",
    "conditional_custom_attribute_7",
    "conditional_custom_attribute_8",
    "conditional_custom_attribute_9",
    "conditional_custom_attribute_10",
    "conditional_custom_attribute_11",
    "conditional_custom_attribute_12",
    "conditional_custom_attribute_13",
    "conditional_custom_attribute_14",
    "conditional_custom_attribute_15",
};

Field condition(std::string_view name, std::string_view doc) {
    return {.name = name, .list = true, .default_note = "none", .doc = doc};
}

// Reference 4.1, the precanned filter.
std::vector<Field> condition_fields() {
    std::vector<Field> fields = {
        condition(
            "conditional_company",
            "The recipient's company is one of these; of several conditions all must hold."),
        condition("conditional_department", "Its department is one of these."),
        condition("conditional_state_or_province", "Its state or province is one of these."),
    };
    for (const auto name : kCustomConditions)
        fields.push_back(condition(name, "Its custom attribute is one of these."));
    return fields;
}

// Reference 4.1.
std::vector<Field> address_policy_fields() {
    const std::vector<Field> rule = {
        {.name = "priority",
         .kind = integer,
         .default_note = "after the others",
         .minimum = 1,
         .maximum = kMaxPriority,
         .word = "lowest",
         .doc =
             "The lowest number is asked first and the first match rules; a number that is taken "
             "moves the older ones down; `lowest` is the Default Policy's alone."},
        {.name = "templates",
         .flag = "template",
         .kind = address_template,
         .list = true,
         .required = true,
         .doc =
             "Addresses the recipients get: `SMTP:` marks the one primary, `smtp:` or nothing the "
             "others; without a mark the first is primary. An empty local part is `%m`."},
        {.name = "included_recipients",
         .flag = "included-recipient",
         .kind = choice,
         .list = true,
         .default_note = "all, unless recipient_filter is given",
         .choices = {"all", "mailbox", "contact", "group"},
         .synonyms =
             {{"allrecipients", "all"},
              {"mailboxusers", "mailbox"},
              {"mailcontacts", "contact"},
              {"mailgroups", "group"}},
         .doc = "Kinds of recipients it is for."},
    };
    const std::vector<Field> rest = {
        {.name = "recipient_filter",
         .kind = recipient_filter,
         .default_note = "none",
         .maximum = kMaxFilterLength,
         .doc = "An expression instead of included_recipients and conditions."},
        {.name = "applied",
         .kind = boolean,
         .defaults = {"false"},
         .read_only = true,
         .doc = "False from a change until the next `address-policy apply`."},
    };
    return joined(joined(rule, condition_fields()), rest);
}

// Reference 4.8.
std::vector<Field> address_rewrite_fields() {
    return {
        {.name = "internal",
         .kind = address_pattern,
         .required = true,
         .doc = "What is inside: in an authoritative domain."},
        {.name = "external",
         .kind = address_pattern,
         .required = true,
         .doc = "What is shown outside: an address for an address, a domain for a domain and for "
                "`*.`."},
        {.name = "exceptions",
         .flag = "exception",
         .kind = domain,
         .list = true,
         .default_note = "none",
         .doc = "Domains below the `*.` of internal that are left alone."},
        flag_field(
            "outbound_only",
            "false",
            "Mail to the external address is not changed back; must be true for `*.`."),
        flag_field("rewrite_recipient_fields", "false", "To and Cc are rewritten too, out and in."),
    };
}

}  // namespace

ObjectType address_policy_type() {
    return {
        .name = "address-policy",
        .plural = "address policies",
        .toml_name = "address_policy",
        .doc = "Which addresses recipients get; the first policy that matches is the only one.",
        .fields = address_policy_fields(),
        .example =
            "smtpctl address-policy create Sales --template 'SMTP:%g.%s@contoso.com' "
            "--included-recipient mailbox --conditional-department Sales"};
}

ObjectType address_rewrite_type() {
    return {
        .name = "address-rewrite",
        .plural = "address rewrite entries",
        .toml_name = "address_rewrite",
        .doc = "Addresses shown to the outside in place of internal ones.",
        .fields = address_rewrite_fields(),
        .example =
            "smtpctl address-rewrite create Merger --internal corp.contoso.com --external "
            "contoso.com"};
}

}  // namespace mailflow::schema
