// The part of OrganizationService that concerns recipients: mailboxes, the first start, domains in
// use, export.
#include "config/change_set.hpp"
#include "config/mailbox_document.hpp"
#include "config/organization_loader.hpp"
#include "config/organization_service.hpp"
#include "config/service_outcomes.hpp"
#include "config/toml_text.hpp"
#include "config/validation.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <algorithm>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;

namespace {

constexpr std::size_t kPageSize = 1000;
constexpr std::string_view kPostmaster = "postmaster";

const schema::ObjectType& mailbox_type() {
    return *schema::find_type("mailbox");
}

std::string title_of(const std::string& name) {
    return schema::object_title(mailbox_type(), name);
}

// As people see it: of the password only whether there is one.
json::object named_mailbox(const MailRecipient& mailbox) {
    auto shown = named_document(mailbox_type(), mailbox.name, mailbox_document(mailbox));
    shown["password_set"] = mailbox.verifier.has_value();
    return shown;
}

bool has_address(const MailRecipient& mailbox, const std::string& key) {
    return std::any_of(
        mailbox.addresses.begin(), mailbox.addresses.end(), [&key](const EmailAddress& address) {
            return address.lookup_key() == key;
        });
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

EmailAddress postmaster_of(const Organization& organization) {
    return EmailAddress::of(std::string(kPostmaster), organization.default_domain().domain);
}

// RFC 5321 §4.5.1: mail for postmaster must be taken.
std::string nobody_is_postmaster(const EmailAddress& address) {
    return "nobody is " + address.text() +
           " any more, and mail for postmaster will be refused: give a mailbox that address, with "
           "mailbox set NAME --add-address smtp:" +
           address.text();
}

}  // namespace

Task<Result<std::vector<Problem>>> OrganizationService::create_first_objects(FirstStart first) {
    std::vector<Problem> problems;
    auto changes = first_objects(parts_.node, first, problems);
    ObjectSet objects = with_changes({}, changes);
    Organization::Parts parts;
    if (problems.empty()) {
        parts = load_organization(objects, parts_.node, problems);
    }
    if (problems.empty()) {
        problems = find_problems(parts);  // two default connectors on one port
    }
    if (!problems.empty()) {
        co_return problems;
    }
    // The mailbox comes first: objects that are there mean that the first start is over.
    const Organization organization(std::move(parts));
    auto postmaster = make_mailbox(std::string(kPostmaster), {}, organization);
    if (!postmaster.ok()) {
        co_return postmaster.problems;
    }
    const ChangeAuthor author{"mailflowd", "first start"};
    const auto made = co_await parts_.recipients.create(std::move(postmaster.mailbox), author);
    if (!made && made.error() != Error::already_exists) {
        co_return made.error();
    }
    const auto error = co_await refresh();
    if (error) {
        co_return error;
    }
    const auto stored =
        co_await parts_.objects.change(objects_.version, std::move(changes), author);
    if (!stored) {
        co_return stored.error();
    }
    co_return problems;
}

Task<std::vector<Problem>> OrganizationService::find_taken(
    const MailRecipient& mailbox, std::string own_name) {
    std::vector<Problem> problems;
    const auto is_other = [&own_name](const std::optional<MailRecipient>& found) {
        return found && !ascii::equal_ignoring_case(found->name, own_name);
    };
    const auto by_name = co_await parts_.recipients.find(mailbox.name);
    if (by_name && is_other(*by_name)) {
        problems.push_back(
            {title_of(mailbox.name), "name", "is taken by " + title_of((*by_name)->name)});
    }
    const auto by_alias = co_await parts_.recipients.find(mailbox.alias);
    if (problems.empty() && by_alias && is_other(*by_alias)) {
        problems.push_back(
            {title_of(mailbox.name),
             "alias",
             mailbox.alias + " is taken by " + title_of((*by_alias)->name)});
    }
    for (const auto& address : mailbox.addresses) {
        const auto holder = co_await parts_.recipients.find_by_address(address);
        if (holder && is_other(*holder)) {
            problems.push_back(
                {title_of(mailbox.name),
                 "addresses",
                 address.text() + " belongs to " + title_of((*holder)->name)});
        }
    }
    auto logins = co_await find_taken_logins(mailbox, std::move(own_name));
    problems.insert(problems.end(), logins.begin(), logins.end());
    co_return problems;
}

// One login, one mailbox: a UPN is nobody else's UPN or address.
Task<std::vector<Problem>> OrganizationService::find_taken_logins(
    const MailRecipient& mailbox, std::string own_name) {
    std::vector<Problem> problems;
    const auto is_other = [&own_name](const Result<std::optional<MailRecipient>>& found) {
        return found && *found && !ascii::equal_ignoring_case((*found)->name, own_name);
    };
    const auto upn_address = EmailAddress::parse(mailbox.upn).value();
    const auto by_upn = co_await parts_.recipients.find_by_upn(mailbox.upn);
    const auto by_address = co_await parts_.recipients.find_by_address(upn_address);
    for (const auto* holder : {&by_upn, &by_address}) {
        if (problems.empty() && is_other(*holder)) {
            problems.push_back(
                {title_of(mailbox.name),
                 "upn",
                 mailbox.upn + " logs in to " + title_of((**holder)->name) +
                     "; give another login name, with --upn"});
        }
    }
    for (const auto& address : mailbox.addresses) {
        const auto holder = co_await parts_.recipients.find_by_upn(address.text());
        if (is_other(holder) && !ascii::equal_ignoring_case(address.text(), mailbox.upn)) {
            problems.push_back(
                {title_of(mailbox.name),
                 "addresses",
                 address.text() + " is the login name of " + title_of((*holder)->name)});
        }
    }
    co_return problems;
}

// What of a mailbox is not in its document alone: names that are free, names that exist, and the
// verifier of a new password. Mailboxes of send_as may be given by alias.
Task<std::vector<Problem>> OrganizationService::complete_mailbox(
    CheckedMailbox& checked, std::string own_name) {
    auto problems = co_await find_taken(checked.mailbox, std::move(own_name));
    std::vector<std::string> senders;
    for (const auto& name : checked.mailbox.send_as) {
        const auto found = co_await parts_.recipients.find(name);
        if (!found || !*found) {
            problems.push_back(
                {title_of(checked.mailbox.name),
                 "send_as",
                 found ? "there is no " + title_of(name)
                       : "mailboxes could not be read: " + found.error().message()});
        } else if (!contains(senders, (*found)->name)) {
            senders.push_back((*found)->name);
        }
    }
    checked.mailbox.send_as = std::move(senders);
    if (problems.empty() && checked.password) {
        const auto verifier = co_await parts_.hash_password(*checked.password);
        if (verifier) {
            checked.mailbox.verifier = *verifier;
        } else {
            problems.push_back(
                {title_of(checked.mailbox.name),
                 "password",
                 verifier.error() == Error::syntax
                     ? "holds characters that no password may have (RFC 4013)"
                     : "could not be worked on: " + verifier.error().message()});
        }
    }
    co_return problems;
}

Task<ChangeOutcome> OrganizationService::create_mailbox(ChangeRequest request) {
    const auto name_problem = schema::check_name(request.name);
    if (!name_problem.empty()) {
        co_return refused_outcome({title_of(request.name), "name", name_problem});
    }
    auto made = make_mailbox(request.name, request.fields, *organization_);
    if (!made.ok()) {
        co_return refused_outcome(std::move(made.problems));
    }
    // No mailbox goes by an empty name: every other one is somebody else's.
    auto problems = co_await complete_mailbox(made, std::string());
    if (!problems.empty()) {
        co_return refused_outcome(std::move(problems));
    }
    ChangeOutcome outcome;
    outcome.after = named_mailbox(made.mailbox);
    if (request.what_if) {
        co_return outcome;
    }
    const auto stored =
        co_await parts_.recipients.create(std::move(made.mailbox), std::move(request.author));
    if (!stored) {
        co_return failed_outcome(stored.error());
    }
    co_return outcome;
}

Task<ChangeOutcome> OrganizationService::set_mailbox(ChangeRequest request) {
    auto found = co_await parts_.recipients.find(request.name);
    if (!found) {
        co_return failed_outcome(found.error());
    }
    if (!*found) {
        co_return not_found_outcome("there is no " + title_of(request.name));
    }
    const auto current = std::move(**found);
    auto renamed = take_new_name(mailbox_type(), current.name, request.fields);
    if (!renamed.problem.empty()) {
        co_return refused_outcome({title_of(current.name), "name", std::move(renamed.problem)});
    }
    const auto& name = renamed.name.empty() ? current.name : renamed.name;
    auto edited = edit_mailbox(current, name, request.fields, *organization_);
    if (!edited.ok()) {
        co_return refused_outcome(std::move(edited.problems));
    }
    auto problems = co_await complete_mailbox(edited, current.name);
    if (!problems.empty()) {
        co_return refused_outcome(std::move(problems));
    }
    ChangeOutcome outcome;
    outcome.before = named_mailbox(current);
    outcome.after = named_mailbox(edited.mailbox);
    if (edited.mailbox.alias != current.alias) {
        outcome.warnings.push_back(
            "new mail goes to the folder " + edited.mailbox.alias + "; what is in the folder " +
            current.alias + " stays there");
    }
    const auto postmaster = postmaster_of(*organization_);
    const auto key = postmaster.lookup_key();
    if (has_address(current, key) && !has_address(edited.mailbox, key)) {
        outcome.warnings.push_back(nobody_is_postmaster(postmaster));
    }
    if (request.what_if) {
        co_return outcome;
    }
    const auto stored = co_await parts_.recipients.replace(
        current.name, std::move(edited.mailbox), std::move(request.author));
    if (!stored) {
        co_return failed_outcome(stored.error());
    }
    co_return outcome;
}

Task<ChangeOutcome> OrganizationService::remove_mailbox(ChangeRequest request) {
    const auto found = co_await parts_.recipients.find(request.name);
    if (!found) {
        co_return failed_outcome(found.error());
    }
    if (!*found) {
        co_return not_found_outcome("there is no " + title_of(request.name));
    }
    const auto& current = **found;
    ChangeOutcome outcome;
    outcome.before = named_mailbox(current);
    const auto postmaster = postmaster_of(*organization_);
    if (has_address(current, postmaster.lookup_key())) {
        outcome.warnings.push_back(nobody_is_postmaster(postmaster));
    }
    if (request.what_if) {
        co_return outcome;
    }
    const auto stored = co_await parts_.recipients.remove(current.name, std::move(request.author));
    if (!stored) {
        co_return failed_outcome(stored.error());
    }
    co_return outcome;
}

// Reference 3.4: a domain in use cannot go. In use is what a recipient has an address in and `next`
// would not accept.
Task<std::vector<Problem>> OrganizationService::find_lost_domains(const Organization& next) {
    std::vector<Problem> problems;
    std::string after;
    for (;;) {
        const auto page = co_await parts_.recipients.domains(after, kPageSize);
        if (!page) {
            problems.push_back({{}, {}, "mailboxes could not be read: " + page.error().message()});
            break;
        }
        for (const auto& text : *page) {
            const auto domain = DomainName::parse(text);
            if (!domain || organization_ == nullptr ||
                organization_->find_accepted_domain(*domain) == nullptr ||
                next.find_accepted_domain(*domain) != nullptr) {
                continue;
            }
            const auto count = co_await parts_.recipients.count_in_domain(*domain);
            const auto* lost = organization_->find_accepted_domain(*domain);
            problems.push_back(
                {"accepted-domain \"" + lost->name + "\"",
                 {},
                 "is in use: " + std::to_string(count ? *count : 0) +
                     " mailboxes have an address in " + text +
                     "; remove those addresses or mailboxes first"});
        }
        if (page->size() < kPageSize) {
            break;
        }
        after = page->back();
    }
    co_return problems;
}

Task<std::vector<std::string>> OrganizationService::postmaster_warnings(const Organization& next) {
    std::vector<std::string> warnings;
    const auto postmaster = postmaster_of(next);
    const bool moved = organization_ != nullptr && postmaster_of(*organization_) != postmaster;
    if (moved) {
        const auto found = co_await parts_.recipients.find_by_address(postmaster);
        if (found && !*found) {
            warnings.push_back(nobody_is_postmaster(postmaster));
        }
    }
    co_return warnings;
}

Task<Result<std::vector<json::object>>> OrganizationService::list_mailboxes(
    std::string after, std::size_t limit) {
    const auto page = co_await parts_.recipients.page(std::move(after), limit);
    if (!page) {
        co_return page.error();
    }
    std::vector<json::object> mailboxes;
    for (const auto& mailbox : *page)
        mailboxes.push_back(named_mailbox(mailbox));
    co_return mailboxes;
}

Task<Result<std::optional<json::object>>> OrganizationService::show_mailbox(std::string name) {
    auto found = co_await parts_.recipients.find(name);
    const auto address = EmailAddress::parse(name);
    if (found && !*found && address) {
        found = co_await parts_.recipients.find_by_address(*address);
    }
    if (!found) {
        co_return found.error();
    }
    std::optional<json::object> mailbox;
    if (*found) {
        mailbox = named_mailbox(**found);
    }
    co_return mailbox;
}

Task<Result<std::string>> OrganizationService::export_toml() {
    const auto error = co_await refresh();
    if (error) {
        co_return error;
    }
    auto text = toml_header();
    for (const auto& type : schema::object_types()) {
        for (const auto& record : objects_.objects) {
            std::vector<Problem> ignored;
            if (record.type == type.name) {
                text += toml_object(type, record.name, read_document(record, ignored));
            }
        }
    }
    std::string after;
    for (;;) {
        const auto page = co_await parts_.recipients.page(after, kPageSize);
        if (!page) {
            co_return page.error();
        }
        for (const auto& mailbox : *page) {
            text += toml_object(mailbox_type(), mailbox.name, mailbox_document(mailbox));
        }
        if (page->size() < kPageSize) {
            break;
        }
        after = page->back().name;
    }
    co_return text;
}

}  // namespace mailflow
