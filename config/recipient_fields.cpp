#include "config/recipient_fields.hpp"

#include "config/document_reader.hpp"
#include "config/schema/document.hpp"
#include "config/schema/values.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <array>
#include <vector>

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr std::string_view kInherit = "inherit";

json::array array_of(const std::vector<std::string>& texts) {
    json::array array;
    array.reserve(texts.size());
    for (const auto& text : texts)
        array.emplace_back(text);
    return array;
}

json::value size_text(const std::optional<std::uint64_t>& size) {
    return size ? json::value(schema::format_size(*size)) : json::value(schema::kUnlimited);
}

std::string text_of(const std::optional<EmailAddress>& address) {
    return address ? address->text() : std::string();
}

json::value write_addresses(const MailRecipient& recipient) {
    json::array addresses;
    addresses.reserve(recipient.addresses.size());
    for (const auto& address : recipient.addresses) {
        addresses.emplace_back((addresses.empty() ? "SMTP:" : "smtp:") + address.text());
    }
    return addresses;
}

json::value write_rewriting(const MailRecipient& recipient) {
    const auto& rewrite = recipient.rewrite_sender_to_primary;
    return json::value(!rewrite ? kInherit : *rewrite ? "true" : "false");
}

void read_rewriting(const DocumentReader& reader, std::string_view name, MailRecipient& recipient) {
    const auto text = reader.text(name);
    recipient.rewrite_sender_to_primary.reset();
    if (text != kInherit) recipient.rewrite_sender_to_primary = text == "true";
}

// A field and its two directions. Without `read` the field is not this table's to read.
struct Binding {
    std::string_view field;
    json::value (*write)(const MailRecipient&);
    void (*read)(const DocumentReader&, std::string_view name, MailRecipient&);
};

using Reader = const DocumentReader&;
using Name = std::string_view;

constexpr auto kNobodyReads = nullptr;

// clang-format off
constexpr Binding kBindings[] = {
    {"alias", [](const MailRecipient& r) { return json::value(r.alias); },
     [](Reader in, Name n, MailRecipient& r) { r.alias = in.text(n); }},
    {"first_name", [](const MailRecipient& r) { return json::value(r.first_name); },
     [](Reader in, Name n, MailRecipient& r) { r.first_name = in.text(n); }},
    {"initials", [](const MailRecipient& r) { return json::value(r.initials); },
     [](Reader in, Name n, MailRecipient& r) { r.initials = in.text(n); }},
    {"last_name", [](const MailRecipient& r) { return json::value(r.last_name); },
     [](Reader in, Name n, MailRecipient& r) { r.last_name = in.text(n); }},
    {"display_name", [](const MailRecipient& r) { return json::value(r.display_name); },
     [](Reader in, Name n, MailRecipient& r) { r.display_name = in.text(n); }},
    {"external_address",
     [](const MailRecipient& r) { return json::value(text_of(r.external_address)); },
     [](Reader in, Name n, MailRecipient& r) { r.external_address = in.address(n); }},
    {"addresses", write_addresses, kNobodyReads},
    {"address_policy_enabled",
     [](const MailRecipient& r) { return json::value(r.address_policy_enabled); },
     [](Reader in, Name n, MailRecipient& r) { r.address_policy_enabled = in.boolean(n); }},
    {"upn", [](const MailRecipient& r) { return json::value(r.upn); }, kNobodyReads},
    {"send_as", [](const MailRecipient& r) { return json::value(array_of(r.send_as)); },
     [](Reader in, Name n, MailRecipient& r) { r.send_as = in.list(n); }},
    {"delivery_target",
     [](const MailRecipient& r) { return json::value(to_text(r.target)); },
     [](Reader in, Name n, MailRecipient& r) { r.target = parse_delivery_target(in.text(n)).value(); }},
    {"forwarding_recipient",
     [](const MailRecipient& r) { return json::value(r.forwarding.recipient); },
     [](Reader in, Name n, MailRecipient& r) { r.forwarding.recipient = in.text(n); }},
    {"forwarding_address",
     [](const MailRecipient& r) { return json::value(text_of(r.forwarding.address)); },
     [](Reader in, Name n, MailRecipient& r) { r.forwarding.address = in.address(n); }},
    {"deliver_and_forward",
     [](const MailRecipient& r) { return json::value(r.forwarding.deliver_and_forward); },
     [](Reader in, Name n, MailRecipient& r) {
         r.forwarding.deliver_and_forward = in.boolean(n); }},
    {"accept_from",
     [](const MailRecipient& r) { return json::value(array_of(r.limits.accept_from)); },
     [](Reader in, Name n, MailRecipient& r) { r.limits.accept_from = in.list(n); }},
    {"reject_from",
     [](const MailRecipient& r) { return json::value(array_of(r.limits.reject_from)); },
     [](Reader in, Name n, MailRecipient& r) { r.limits.reject_from = in.list(n); }},
    {"require_authenticated_sender",
     [](const MailRecipient& r) { return json::value(r.limits.require_authenticated_sender); },
     [](Reader in, Name n, MailRecipient& r) {
         r.limits.require_authenticated_sender = in.boolean(n); }},
    {"max_receive_size",
     [](const MailRecipient& r) { return size_text(r.limits.max_receive_size); },
     [](Reader in, Name n, MailRecipient& r) { r.limits.max_receive_size = in.size_limit(n); }},
    {"max_send_size", [](const MailRecipient& r) { return size_text(r.limits.max_send_size); },
     [](Reader in, Name n, MailRecipient& r) { r.limits.max_send_size = in.size_limit(n); }},
    {"max_recipients",
     [](const MailRecipient& r) {
         const auto& limit = r.limits.max_recipients;
         return limit ? json::value(static_cast<std::int64_t>(*limit))
                      : json::value(schema::kUnlimited); },
     [](Reader in, Name n, MailRecipient& r) { r.limits.max_recipients = in.limit(n); }},
    {"rewrite_sender_to_primary", write_rewriting, read_rewriting},
    {"owners", [](const MailRecipient& r) { return json::value(array_of(r.group.owners)); },
     [](Reader in, Name n, MailRecipient& r) { r.group.owners = in.list(n); }},
    {"report_to_owner", [](const MailRecipient& r) { return json::value(r.group.report_to_owner); },
     [](Reader in, Name n, MailRecipient& r) { r.group.report_to_owner = in.boolean(n); }},
    {"report_to_originator",
     [](const MailRecipient& r) { return json::value(r.group.report_to_originator); },
     [](Reader in, Name n, MailRecipient& r) { r.group.report_to_originator = in.boolean(n); }},
    {"send_oof_to_originator",
     [](const MailRecipient& r) { return json::value(r.group.send_oof_to_originator); },
     [](Reader in, Name n, MailRecipient& r) { r.group.send_oof_to_originator = in.boolean(n); }},
};

// clang-format on

// A field of a kind: of the table, or an attribute, which is a text policies filter by.
struct KnownField {
    const schema::Field* field;
    const Binding* binding;  // null: an attribute
};

std::vector<KnownField> known_fields(RecipientKind kind) {
    std::vector<KnownField> known;
    for (const auto& field : type_of(kind).fields) {
        // A password is not shown; members are asked for page by page.
        if (field.kind == schema::ValueKind::secret || field.name == "members") continue;
        const auto* const found = std::find_if(
            std::begin(kBindings), std::end(kBindings), [&field](const Binding& binding) {
                return binding.field == field.name;
            });
        known.push_back({&field, found == std::end(kBindings) ? nullptr : found});
    }
    return known;
}

const std::vector<KnownField>& fields_of(RecipientKind kind) {
    static const std::array<std::vector<KnownField>, 3> kFields = {
        known_fields(RecipientKind::mailbox),
        known_fields(RecipientKind::contact),
        known_fields(RecipientKind::group)};
    return kFields[static_cast<std::size_t>(kind)];
}

}  // namespace

const schema::ObjectType& type_of(RecipientKind kind) {
    return *schema::find_type(to_text(kind));
}

std::optional<RecipientKind> kind_of(std::string_view type) {
    for (const auto kind : {RecipientKind::mailbox, RecipientKind::contact, RecipientKind::group}) {
        if (type == to_text(kind)) return kind;
    }
    return std::nullopt;
}

std::string title_of(RecipientKind kind, std::string_view name) {
    return schema::object_title(type_of(kind), name);
}

void read_recipient_fields(const json::object& document, MailRecipient& recipient) {
    const DocumentReader reader(document);
    for (const auto& [field, binding] : fields_of(recipient.kind)) {
        if (binding != nullptr) {
            if (binding->read != nullptr) binding->read(reader, field->name, recipient);
            continue;
        }
        auto text = reader.text(field->name);
        if (text.empty()) {
            recipient.attributes.erase(std::string(field->name));
        } else {
            recipient.attributes[std::string(field->name)] = std::move(text);
        }
    }
}

json::object recipient_document(const MailRecipient& recipient) {
    json::object document;
    const auto& fields = fields_of(recipient.kind);
    document.reserve(fields.size() + 2);
    for (const auto& [field, binding] : fields) {
        if (binding != nullptr) {
            document.emplace(field->name, binding->write(recipient));
            continue;
        }
        const auto found = recipient.attributes.find(field->name);
        document.emplace(
            field->name,
            found == recipient.attributes.end() ? json::value("") : json::value(found->second));
    }
    return document;
}

}  // namespace mailflow
