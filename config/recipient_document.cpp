#include "config/recipient_document.hpp"

#include "config/field_syntax.hpp"
#include "config/recipient_addresses.hpp"
#include "config/schema/values.hpp"
#include "transport/addressing/address_template.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;
using Planning = CheckedRecipient::Planning;

namespace {

// RFC 5321 §4.5.3.1.1: a local part has at most 64 octets.
constexpr std::size_t kMaxAliasLength = 64;
constexpr std::string_view kPrimaryWord = "primary";

static_assert(kMaxPasswordLength == schema::kMaxSecretLength);

// RFC 5321 §4.1.2, Dot-string of ASCII; without `/`, because the alias is the folder of the mail.
bool is_alias(std::string_view text) {
    constexpr std::string_view kSpecials = "!#$%&'*+-=?^_`{|}~.";
    const bool characters = std::all_of(text.begin(), text.end(), [kSpecials](char c) {
        return ascii::is_alpha(c) || ascii::is_digit(c) ||
               kSpecials.find(c) != std::string_view::npos;
    });
    const bool dots =
        !text.starts_with('.') && !text.ends_with('.') && text.find("..") == std::string_view::npos;
    return characters && dots && !text.empty() && text.size() <= kMaxAliasLength;
}

// Reference 4.5: the name without blanks. Deviation: characters that no alias may hold are dropped
// as in templates, where Exchange writes `?`, which makes no good folder.
std::string alias_from(const std::string& name) {
    if (is_alias(name)) {
        return name;
    }
    static const auto kAlias = AddressTemplate::parse("%m@alias.invalid", nullptr).value();
    MailRecipient recipient;
    recipient.name = name;
    recipient.alias = name;
    std::erase(recipient.alias, '/');
    return kAlias.expand(recipient).local();
}

std::string text_of(const json::object& document, std::string_view field) {
    const auto* value = document.if_contains(field);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

bool gives(const json::object& fields, std::string_view name) {
    const auto* value = fields.if_contains(name);
    return value != nullptr && !value->is_null();
}

bool gives_both(const json::object& fields, RecipientOrigin origin) {
    return origin == RecipientOrigin::import && gives(fields, "addresses") &&
           gives(fields, "address_policy_enabled");
}

// Names in `fields[key]`, a text or a list of texts.
std::vector<std::string> take_names(
    json::object& fields, std::string_view key, std::vector<Problem>& problems) {
    std::vector<std::string> names;
    auto* const value = fields.if_contains(key);
    if (value == nullptr) {
        return names;
    }
    const json::array one{*value};
    const auto& list = value->is_array() ? value->get_array() : one;
    for (const auto& element : list) {
        const auto name =
            element.is_string() ? ascii::trimmed(element.get_string()) : std::string_view();
        if (!element.is_string() && !element.is_null()) {
            problems.push_back({{}, "members", "write names, aliases or addresses of recipients"});
            break;
        }
        if (!name.empty()) names.emplace_back(name);
    }
    if (names.size() > kMaxMembersGiven) {
        problems.push_back(
            {{},
             "members",
             "are too many for one change: give at most " + std::to_string(kMaxMembersGiven) +
                 ", and the others with --add-member"});
    }
    fields.erase(key);
    return names;
}

// Members are no part of the record; they leave `fields`, which is the schema's from here on.
MemberEdit take_members(RecipientKind kind, json::object& fields, std::vector<Problem>& problems) {
    MemberEdit edit;
    if (kind != RecipientKind::group) {
        return edit;
    }
    if (fields.contains("members")) edit.all = take_names(fields, "members", problems);
    edit.add = take_names(fields, "add_members", problems);
    edit.remove = take_names(fields, "remove_members", problems);
    return edit;
}

void check_alias(const std::string& alias, std::vector<Problem>& problems) {
    if (!is_alias(alias)) {
        problems.push_back(
            {{},
             "alias",
             "\"" + ascii::escaped(alias) +
                 "\" is not allowed: write at most 64 letters, digits and characters of "
                 "!#$%&'*+-=?^_`{|}~ with single dots between, such as alice.smith"});
    }
}

void check_address(
    const EmailAddress& address,
    const MailRecipient& recipient,
    const Organization& organization,
    std::vector<Problem>& problems) {
    const auto& domain = address.domain();
    const bool accepted = domain && organization.find_accepted_domain(*domain) != nullptr;
    if (!accepted && address != recipient.external_address) {
        problems.push_back(
            {{},
             "addresses",
             address.text() + ": " + address.domain_text() +
                 " is not an accepted domain; create it first, with accepted-domain create " +
                 address.domain_text()});
    }
}

void read_addresses(
    json::array& addresses,
    MailRecipient& recipient,
    const Organization& organization,
    std::vector<Problem>& problems) {
    if (!order_addresses(addresses)) {
        problems.push_back({{}, "addresses", "only one address can be primary: write SMTP: once"});
        return;
    }
    recipient.addresses.clear();
    for (const auto& proxy : addresses) {
        auto address = EmailAddress::parse(bare_address(proxy.as_string())).value();
        check_address(address, recipient, organization, problems);
        recipient.addresses.push_back(std::move(address));
    }
}

// A login name has the form of an address; it need not be one, nor lie in an accepted domain.
void read_upn(const std::string& upn, CheckedRecipient& checked) {
    if (checked.recipient.kind != RecipientKind::mailbox) {
        return;
    }
    if (upn.empty() || ascii::equal_ignoring_case(upn, kPrimaryWord)) {
        checked.upn_is_primary = true;
        return;
    }
    const auto parsed = EmailAddress::parse(upn);
    if (!parsed || !parsed->domain()) {
        checked.problems.push_back(
            {{},
             "upn",
             "\"" + ascii::escaped(upn.substr(0, 100)) +
                 "\" is not allowed: write a login name such as alice@contoso.com, or primary for "
                 "the primary address"});
        return;
    }
    checked.recipient.upn = parsed->text();
}

// Reference 5.3.
void check_reports(const GroupSettings& group, std::vector<Problem>& problems) {
    if (group.report_to_owner && group.report_to_originator) {
        problems.push_back(
            {{},
             "report_to_owner",
             "failures are reported to the owner or to the originator, never to both: set "
             "report_to_originator to false with it (--report-to-originator false)"});
    }
    if (group.report_to_owner && group.owners.empty()) {
        problems.push_back(
            {{}, "report_to_owner", "needs somebody to report to: give an owner (--owner NAME)"});
    }
}

// What the schema says of a field whose own grammar has spoken is noise.
void add_problems(std::vector<Problem>& problems, std::vector<Problem> more) {
    const auto known = problems.size();
    for (auto& problem : more) {
        const auto end = problems.begin() + static_cast<std::ptrdiff_t>(known);
        const bool said = std::any_of(problems.begin(), end, [&problem](const Problem& other) {
            return other.field == problem.field;
        });
        if (!said) problems.push_back(std::move(problem));
    }
}

std::string default_display_name(const std::string& name, const json::object& document) {
    const auto first = text_of(document, "first_name");
    const auto last = text_of(document, "last_name");
    auto full = first + (first.empty() || last.empty() ? "" : " ") + last;
    return full.empty() ? name : full;
}

// What a document without problems says, but for its addresses and UPN.
void read_document_fields(const json::object& document, CheckedRecipient& checked) {
    auto& recipient = checked.recipient;
    read_recipient_fields(document, recipient);
    check_alias(recipient.alias, checked.problems);
    if (recipient.kind == RecipientKind::group) {
        check_reports(recipient.group, checked.problems);
    }
    if (auto password = text_of(document, "password"); !password.empty()) {
        checked.password = std::move(password);
    }
}

// Reference 4.5: an address given as primary turns the policy off; without one the policy gives it.
void plan_new_addresses(
    const json::object& fields,
    RecipientOrigin origin,
    json::array& addresses,
    const Organization& organization,
    CheckedRecipient& checked) {
    auto& recipient = checked.recipient;
    const bool is_contact = recipient.kind == RecipientKind::contact;
    if (addresses.empty() && is_contact && recipient.external_address) {
        // Reference 4.5, mail contact.
        addresses.emplace_back("SMTP:" + recipient.external_address->text());
        return;
    }
    if (addresses.empty() && !recipient.address_policy_enabled) {
        addresses.emplace_back(
            "SMTP:" + recipient.alias + "@" + organization.default_domain().domain.text());
        return;
    }
    const bool named = !addresses.empty() && names_primary(fields.at("addresses"));
    if (!named) {
        checked.planning = recipient.address_policy_enabled ? Planning::always : Planning::never;
        return;
    }
    const json::value external(
        recipient.external_address ? recipient.external_address->text() : "");
    const bool is_external =
        std::any_of(addresses.begin(), addresses.end(), [&external](const json::value& address) {
            return is_primary(address) && is_same_address(address, external);
        });
    if (is_external || gives_both(fields, origin)) {
        return;
    }
    if (gives(fields, "address_policy_enabled") && recipient.address_policy_enabled) {
        checked.problems.push_back(
            {{},
             "addresses",
             "a primary address cannot be given while address policies choose it: leave "
             "address_policy_enabled out, or write smtp: before every address"});
        return;
    }
    recipient.address_policy_enabled = false;
}

void name_problems(CheckedRecipient& checked) {
    const auto title = title_of(checked.recipient.kind, checked.recipient.name);
    for (auto& problem : checked.problems)
        problem.object = title;
}

// The external address that was among a contact's addresses follows a change of it.
void move_external(const MailRecipient& current, json::object& document, const json::object& edit) {
    if (!current.external_address || !edit.contains("external_address") ||
        edit.contains("addresses") || edit.contains("add_addresses")) {
        return;
    }
    const json::value before(current.external_address->text());
    const json::value after(text_of(document, "external_address"));
    json::array moved;
    for (auto& address : document.at("addresses").as_array()) {
        if (is_same_address(address, before)) {
            address =
                (is_primary(address) ? "SMTP:" : "smtp:") + text_of(document, "external_address");
        } else if (is_same_address(address, after)) {
            continue;
        }
        moved.push_back(address);
    }
    document["addresses"] = std::move(moved);
}

void check_primary_stays(
    const json::object& edit, const json::array& addresses, std::vector<Problem>& problems) {
    const bool gone = edit.contains("remove_addresses") &&
                      std::none_of(addresses.begin(), addresses.end(), is_primary);
    if (addresses.empty() || gone) {
        problems.push_back(
            {{},
             "addresses",
             "the primary address cannot go: make another one primary first, with --add-address "
             "SMTP:ADDRESS"});
    }
}

// Reference 4.5, PrimarySmtpAddress.
void check_primary_is_free(
    const MailRecipient& current,
    const json::object& edit,
    RecipientOrigin origin,
    CheckedRecipient& checked) {
    const auto& recipient = checked.recipient;
    const bool moved = recipient.addresses.front().lookup_key() != current.primary().lookup_key();
    const bool own_choice =
        !recipient.address_policy_enabled || gives_both(edit, origin) ||
        (recipient.external_address && recipient.primary() == *recipient.external_address);
    if (moved && !own_choice) {
        checked.problems.push_back(
            {{},
             "addresses",
             recipient.primary().text() +
                 " cannot be made the primary address by hand while address policies choose it: "
                 "add --address-policy-enabled false to the same command, or change the policy "
                 "and apply it"});
    }
}

}  // namespace

CheckedRecipient make_recipient(
    RecipientKind kind,
    const std::string& name,
    const json::object& fields,
    const Organization& organization,
    RecipientOrigin origin) {
    CheckedRecipient checked;
    checked.recipient.kind = kind;
    checked.recipient.name = name;
    auto own = fields;
    checked.members = take_members(kind, own, checked.problems);
    const auto written = canonical_fields(type_of(kind), own, checked.problems);
    auto normal = schema::normalize(type_of(kind), written);
    add_problems(checked.problems, std::move(normal.problems));
    if (checked.ok()) {
        auto& document = normal.document;
        if (text_of(document, "alias").empty()) document["alias"] = alias_from(name);
        if (text_of(document, "display_name").empty()) {
            document["display_name"] = default_display_name(name, document);
        }
        read_document_fields(document, checked);
        read_upn(text_of(document, "upn"), checked);
        auto& addresses = document.at("addresses").as_array();
        plan_new_addresses(own, origin, addresses, organization, checked);
        read_addresses(addresses, checked.recipient, organization, checked.problems);
    }
    name_problems(checked);
    return checked;
}

CheckedRecipient edit_recipient(
    const MailRecipient& current,
    const std::string& name,
    const json::object& edit,
    const Organization& organization,
    RecipientOrigin origin) {
    CheckedRecipient checked;
    checked.recipient = current;
    checked.recipient.name = name;
    auto own = edit;
    checked.members = take_members(current.kind, own, checked.problems);
    const auto& type = type_of(current.kind);
    const auto written = canonical_fields(type, own, checked.problems);
    auto document = recipient_document(current);
    move_primary(document, written);
    auto edited = schema::apply_edit(type, document, written);
    add_problems(checked.problems, std::move(edited.problems));
    auto& after = edited.document;
    if (checked.ok()) {
        move_external(current, after, written);
        auto& addresses = after.at("addresses").as_array();
        if (written.contains("addresses")) mark_primary(addresses, current.primary().text());
        check_primary_stays(written, addresses, checked.problems);
    }
    if (checked.ok()) {
        if (text_of(after, "alias").empty()) after["alias"] = alias_from(name);
        if (text_of(after, "display_name").empty()) {
            after["display_name"] = default_display_name(name, after);
        }
        read_document_fields(after, checked);
        read_addresses(
            after.at("addresses").as_array(), checked.recipient, organization, checked.problems);
        if (written.contains("upn")) read_upn(text_of(after, "upn"), checked);
    }
    if (checked.ok()) {
        check_primary_is_free(current, own, origin, checked);
        if (checked.recipient.address_policy_enabled && !gives_both(own, origin)) {
            checked.planning =
                current.address_policy_enabled ? Planning::if_changed : Planning::always;
        }
    }
    const auto* password = edit.if_contains("password");
    if (password != nullptr && password->is_null()) {
        checked.recipient.verifier.reset();
    }
    name_problems(checked);
    return checked;
}

}  // namespace mailflow
