#include "config/mailbox_document.hpp"

#include "config/field_syntax.hpp"
#include "config/schema/values.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;

namespace {

constexpr std::string_view kPrimary = "SMTP:";
constexpr std::string_view kProxy = "smtp:";
// RFC 5321 §4.5.3.1.1: a local part has at most 64 octets.
constexpr std::size_t kMaxAliasLength = 64;

static_assert(kMaxPasswordLength == schema::kMaxSecretLength);

const schema::ObjectType& mailbox_type() {
    return *schema::find_type("mailbox");
}

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

std::string_view bare(std::string_view proxy) {
    return proxy.substr(proxy.find(':') + 1);
}

bool is_primary(const json::value& proxy) {
    return proxy.is_string() && std::string_view(proxy.get_string()).starts_with(kPrimary);
}

// Canonical proxies in the order of a MailRecipient: the primary first. Without a mark the first is
// primary.
void order_addresses(json::array& addresses, std::vector<Problem>& problems) {
    const auto primaries = std::count_if(addresses.begin(), addresses.end(), is_primary);
    if (primaries > 1) {
        problems.push_back({{}, "addresses", "only one address can be primary: write SMTP: once"});
        return;
    }
    const auto primary = std::find_if(addresses.begin(), addresses.end(), is_primary);
    if (primary != addresses.end()) {
        std::rotate(addresses.begin(), primary, primary + 1);
    } else if (!addresses.empty() && addresses.front().is_string()) {
        const auto first = std::string(bare(addresses.front().get_string()));
        addresses.front() = std::string(kPrimary) + first;
    }
}

json::array as_list(const json::value* value) {
    if (value == nullptr || value->is_null()) return {};
    if (const auto* array = value->if_array()) return *array;
    return {*value};
}

bool is_same_address(const json::value& a, const json::value& b) {
    return a.is_string() && b.is_string() &&
           ascii::equal_ignoring_case(bare(a.get_string()), bare(b.get_string()));
}

// `add_addresses` with an `SMTP:` moves the mark: the former primary stays as a proxy
// (reference 4.4).
void move_primary(json::object& current, const json::object& edit) {
    const auto added = as_list(edit.if_contains("add_addresses"));
    const auto primary = std::find_if(added.begin(), added.end(), is_primary);
    if (primary == added.end()) {
        return;
    }
    json::array kept;
    for (const auto& address : current.at("addresses").as_array()) {
        if (!is_same_address(address, *primary)) {
            kept.emplace_back(std::string(kProxy) + std::string(bare(address.as_string())));
        }
    }
    current["addresses"] = std::move(kept);
}

void check_address(
    const EmailAddress& address, const Organization& organization, std::vector<Problem>& problems) {
    const auto& domain = address.domain();
    if (!domain || organization.find_accepted_domain(*domain) == nullptr) {
        problems.push_back(
            {{},
             "addresses",
             address.text() + ": " + address.domain_text() +
                 " is not an accepted domain; create it first, with accepted-domain create " +
                 address.domain_text()});
    }
}

std::string text_of(const json::object& document, std::string_view field) {
    return std::string(document.at(field).as_string());
}

// A login name has the form of an address; it need not be one, nor lie in an accepted domain.
std::string checked_upn(
    const json::object& document,
    const Organization& organization,
    std::vector<Problem>& problems) {
    auto upn = text_of(document, "upn");
    if (upn.empty()) {
        upn = text_of(document, "alias") + "@" + organization.default_domain().domain.text();
    }
    const auto parsed = EmailAddress::parse(upn);
    if (!parsed || !parsed->domain()) {
        problems.push_back(
            {{},
             "upn",
             "\"" + ascii::escaped(upn.substr(0, 100)) +
                 "\" is not allowed: write a login name such as alice@contoso.com"});
        return {};
    }
    return parsed->text();
}

std::vector<std::string> checked_send_as(
    const std::string& name, const json::object& document, std::vector<Problem>& problems) {
    std::vector<std::string> names;
    for (const auto& element : document.at("send_as").as_array()) {
        names.emplace_back(element.as_string());
        if (ascii::equal_ignoring_case(names.back(), name)) {
            problems.push_back(
                {{}, "send_as", "a mailbox may send as itself: leave " + names.back() + " out"});
        }
    }
    return names;
}

// A canonical document becomes the record, or problems that name the mailbox.
CheckedMailbox finish(
    const std::string& name,
    json::object document,
    const Organization& organization,
    std::vector<Problem> problems) {
    if (const auto alias = text_of(document, "alias"); problems.empty() && !is_alias(alias)) {
        problems.push_back(
            {{},
             "alias",
             "\"" + ascii::escaped(alias) +
                 "\" is not allowed: write at most 64 letters, digits and characters of "
                 "!#$%&'*+-=?^_`{|}~ with single dots between, such as alice.smith"});
    }
    CheckedMailbox checked;
    if (problems.empty()) {
        auto& addresses = document.at("addresses").as_array();
        if (addresses.empty()) {
            addresses.emplace_back(
                std::string(kPrimary) + text_of(document, "alias") + "@" +
                organization.default_domain().domain.text());
        }
        order_addresses(addresses, problems);
        checked.mailbox.name = name;
        checked.mailbox.alias = text_of(document, "alias");
        checked.mailbox.first_name = text_of(document, "first_name");
        checked.mailbox.last_name = text_of(document, "last_name");
        checked.mailbox.display_name = text_of(document, "display_name");
        for (const auto& proxy : addresses) {
            auto address = EmailAddress::parse(bare(proxy.as_string())).value();
            check_address(address, organization, problems);
            checked.mailbox.addresses.push_back(std::move(address));
        }
        checked.mailbox.upn = checked_upn(document, organization, problems);
        checked.mailbox.send_as = checked_send_as(name, document, problems);
        if (auto password = text_of(document, "password"); !password.empty()) {
            checked.password = std::move(password);
        }
    }
    for (auto& problem : problems)
        problem.object = schema::object_title(mailbox_type(), name);
    checked.problems = std::move(problems);
    return checked;
}

std::string default_display_name(const std::string& name, const json::object& document) {
    const auto first = text_of(document, "first_name");
    const auto last = text_of(document, "last_name");
    auto full = first + (first.empty() || last.empty() ? "" : " ") + last;
    return full.empty() ? name : full;
}

}  // namespace

CheckedMailbox make_mailbox(
    const std::string& name, const json::object& fields, const Organization& organization) {
    std::vector<Problem> problems;
    const auto written = canonical_fields(mailbox_type(), fields, problems);
    auto checked = schema::normalize(mailbox_type(), written);
    auto& document = checked.document;
    problems.insert(problems.end(), checked.problems.begin(), checked.problems.end());
    if (problems.empty()) {
        if (text_of(document, "alias").empty()) document["alias"] = name;
        if (text_of(document, "display_name").empty()) {
            document["display_name"] = default_display_name(name, document);
        }
    }
    return finish(name, std::move(document), organization, std::move(problems));
}

CheckedMailbox edit_mailbox(
    const MailRecipient& current,
    const std::string& name,
    const json::object& edit,
    const Organization& organization) {
    std::vector<Problem> problems;
    auto written = canonical_fields(mailbox_type(), edit, problems);
    auto document = mailbox_document(current);
    move_primary(document, written);
    auto checked = schema::apply_edit(mailbox_type(), document, written);
    problems.insert(problems.end(), checked.problems.begin(), checked.problems.end());
    const auto& addresses = checked.document.at("addresses").as_array();
    const bool primary_gone = written.contains("remove_addresses") &&
                              std::none_of(addresses.begin(), addresses.end(), is_primary);
    if (problems.empty() && (addresses.empty() || primary_gone)) {
        problems.push_back(
            {{},
             "addresses",
             "the primary address cannot go: make another one primary first, with --add-address "
             "SMTP:ADDRESS"});
    }
    auto edited = finish(name, std::move(checked.document), organization, std::move(problems));
    const auto* password = edit.if_contains("password");
    if (password == nullptr || !password->is_null()) {
        edited.mailbox.verifier = current.verifier;
    }
    return edited;
}

json::object mailbox_document(const MailRecipient& mailbox) {
    json::array addresses;
    json::array send_as;
    for (const auto& name : mailbox.send_as)
        send_as.emplace_back(name);
    for (const auto& address : mailbox.addresses) {
        const auto mark = addresses.empty() ? kPrimary : kProxy;
        addresses.emplace_back(std::string(mark) + address.text());
    }
    return {
        {"alias", mailbox.alias},
        {"first_name", mailbox.first_name},
        {"last_name", mailbox.last_name},
        {"display_name", mailbox.display_name},
        {"addresses", std::move(addresses)},
        {"upn", mailbox.upn},
        {"send_as", std::move(send_as)},
    };
}

}  // namespace mailflow
