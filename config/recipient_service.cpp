// One recipient at a time: create, set, remove, show. The others of its methods: in
// recipient_batch.cpp and address_policy_run.cpp.
#include "config/recipient_service.hpp"

#include "config/catch_all_rules.hpp"
#include "config/service_outcomes.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/org/recipient_reference.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <set>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;

namespace {

constexpr std::string_view kPostmaster = "postmaster";
// Members read at a time.
constexpr std::size_t kMemberPage = 1000;
// Recipients a warning names.
constexpr std::size_t kReferrersNamed = 10;

EmailAddress postmaster_of(const Organization& organization) {
    return EmailAddress::of(std::string(kPostmaster), organization.default_domain().domain);
}

// As people see it: of the password only whether there is one.
json::object shown(const MailRecipient& recipient) {
    auto document =
        named_document(type_of(recipient.kind), recipient.name, recipient_document(recipient));
    if (recipient.kind == RecipientKind::mailbox) {
        document["password_set"] = recipient.verifier.has_value();
    }
    return document;
}

std::string no_such(RecipientKind kind, const std::string& name) {
    return "there is no " + title_of(kind, name);
}

// Somebody of another kind has the name.
std::string other_kind(RecipientKind wanted, const MailRecipient& found) {
    const std::string kind = to_text(found.kind);
    return no_such(wanted, found.name) + "; it is a " + kind + ": smtpctl " + kind + " show \"" +
           found.name + "\"";
}

// RFC 5321 §4.5.1: mail for postmaster must be taken.
std::string nobody_is_postmaster(const EmailAddress& address) {
    return "nobody is " + address.text() +
           " any more, and mail for postmaster will be refused: give a mailbox that address, with "
           "mailbox set NAME --add-address smtp:" +
           address.text();
}

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

// The first of many.
std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kReferrersNamed); ++i)
        text += (i == 0 ? "" : ", ") + quoted(names[i]);
    return text + (names.size() > kReferrersNamed ? " and more" : "");
}

void warn_of_edit(
    const RecipientDraft& draft, const Organization& organization, ChangeOutcome& outcome) {
    const auto& before = *draft.current;
    const auto& after = draft.next.recipient;
    const bool in_own_folder = after.kind == RecipientKind::mailbox &&
                               after.target.kind == DeliveryTarget::Kind::maildir &&
                               after.target == before.target && after.target.place.empty();
    if (after.alias != before.alias && in_own_folder) {
        outcome.warnings.push_back(
            "new mail goes to the folder " + after.alias + "; what is in the folder " +
            before.alias + " stays there");
    }
    const auto postmaster = postmaster_of(organization);
    const auto key = postmaster.lookup_key();
    if (before.has_address(key) && !after.has_address(key)) {
        outcome.warnings.push_back(nobody_is_postmaster(postmaster));
    }
    const bool moved = after.primary() != before.primary();
    if (after.kind == RecipientKind::mailbox && moved &&
        recipient_key(after.upn) != after.primary().lookup_key()) {
        outcome.warnings.push_back(
            "the login name stays " + after.upn + "; smtpctl mailbox set " + quoted(after.name) +
            " --upn primary makes it the primary address " + after.primary().text());
    }
}

void warn_of_numbers(const RecipientDraft& draft, ChangeOutcome& outcome) {
    for (const auto& address : draft.numbered) {
        outcome.warnings.push_back(
            address.text() +
            " carries a number, because another recipient has the address "
            "without it");
    }
}

}  // namespace

const PolicySet& RecipientService::policies_of(const OrganizationPtr& organization) {
    if (policies_of_ != organization) {
        policies_ = std::make_unique<PolicySet>(organization->address_policies(), nullptr);
        policies_of_ = organization;
    }
    return *policies_;
}

Task<ErrorCode> RecipientService::complete(Drafts& drafts, const Organization& organization) {
    RecipientChecker checker(store_, organization, *policies_);
    const auto error = co_await checker.complete(drafts);
    co_return error;
}

Task<void> RecipientService::hash_passwords(Drafts& drafts) {
    for (auto& draft : drafts) {
        if (!draft.next.ok() || !draft.next.password) {
            continue;
        }
        auto& recipient = draft.next.recipient;
        const auto verifier = co_await hash_password_(*draft.next.password);
        if (verifier) {
            recipient.verifier = *verifier;
        } else {
            draft.next.problems.push_back(
                {title_of(recipient.kind, recipient.name),
                 "password",
                 verifier.error() == Error::syntax
                     ? "holds characters that no password may have (RFC 4013)"
                     : "could not be worked on: " + verifier.error().message()});
        }
        draft.next.password.reset();
    }
}

// By name or alias, else by any address.
Task<Result<std::optional<MailRecipient>>> RecipientService::find(std::string name) {
    auto found = co_await store_.find(name);
    const auto address = EmailAddress::parse(name);
    if (found && !*found && address) {
        found = co_await store_.find_by_address(*address);
    }
    co_return found;
}

Task<ChangeOutcome> RecipientService::create(
    RecipientKind kind, ChangeRequest request, OrganizationPtr organization) {
    const auto name_problem = schema::check_name(request.name);
    if (!name_problem.empty()) {
        co_return refused_outcome({title_of(kind, request.name), "name", name_problem});
    }
    policies_of(organization);
    Drafts drafts(1);
    auto& draft = drafts.front();
    draft.next = make_recipient(kind, request.name, request.fields, *organization);
    const auto error = co_await complete(drafts, *organization);
    if (error) {
        co_return failed_outcome(error);
    }
    co_await hash_passwords(drafts);
    if (!draft.next.ok()) {
        co_return refused_outcome(std::move(draft.next.problems));
    }
    ChangeOutcome outcome;
    outcome.after = shown(draft.next.recipient);
    warn_of_numbers(draft, outcome);
    if (request.what_if) {
        co_return outcome;
    }
    const auto stored = co_await store_.create(draft.next.recipient, request.author);
    if (!stored) {
        co_return failed_outcome(stored.error());
    }
    const auto failed = co_await edit_members(draft, request.author);
    if (failed) {
        co_return failed_outcome(failed);
    }
    co_return outcome;
}

Task<ChangeOutcome> RecipientService::set(
    RecipientKind kind,
    ChangeRequest request,
    OrganizationPtr organization,
    const ObjectSet& objects) {
    auto found = co_await find(request.name);
    if (!found) {
        co_return failed_outcome(found.error());
    }
    if (!*found) {
        co_return not_found_outcome(no_such(kind, request.name));
    }
    if ((*found)->kind != kind) {
        co_return not_found_outcome(other_kind(kind, **found));
    }
    Drafts drafts(1);
    auto& draft = drafts.front();
    draft.current = std::move(**found);
    const auto& current = *draft.current;
    auto renamed = take_new_name(type_of(kind), current.name, request.fields);
    if (!renamed.problem.empty()) {
        co_return refused_outcome(
            {title_of(kind, current.name), "name", std::move(renamed.problem)});
    }
    const auto& name = renamed.name.empty() ? current.name : renamed.name;
    policies_of(organization);
    draft.next = edit_recipient(current, name, request.fields, *organization);
    const auto error = co_await complete(drafts, *organization);
    if (error) {
        co_return failed_outcome(error);
    }
    co_await hash_passwords(drafts);
    if (!draft.next.ok()) {
        co_return refused_outcome(std::move(draft.next.problems));
    }
    ChangeOutcome outcome;
    outcome.before = shown(current);
    outcome.after = shown(draft.next.recipient);
    warn_of_edit(draft, *organization, outcome);
    warn_of_numbers(draft, outcome);
    if (request.what_if) {
        co_return outcome;
    }
    // Members alone leave the record as it is: a group of tens of thousands is not rewritten.
    if (outcome.before != outcome.after || current.verifier != draft.next.recipient.verifier) {
        ObjectEdits edits;
        if (!renamed.name.empty()) edits = follow_recipient(objects, current.name, renamed.name);
        const auto stored = co_await store_.replace(
            current.name, draft.next.recipient, request.author, std::move(edits));
        if (!stored) {
            co_return failed_outcome(stored.error());
        }
    }
    const auto failed = co_await edit_members(draft, request.author);
    if (failed) {
        co_return failed_outcome(failed);
    }
    co_return outcome;
}

Task<ErrorCode> RecipientService::edit_members(
    const RecipientDraft& draft, const ChangeAuthor& author) {
    const auto& edit = draft.next.members;
    const auto group = draft.next.recipient.name;
    if (edit.all) {
        auto wanted = *edit.all;
        const auto error = co_await replace_members(group, std::move(wanted), author);
        if (error) {
            co_return error;
        }
    }
    if (edit.add.empty() && edit.remove.empty()) {
        co_return ErrorCode();
    }
    const auto edited = co_await store_.edit_members(group, edit.add, edit.remove, author);
    co_return edited ? ErrorCode() : edited.error();
}

// What is there and wanted stays untouched.
Task<ErrorCode> RecipientService::replace_members(
    std::string group, std::vector<std::string> wanted, ChangeAuthor author) {
    std::set<std::string> missing;
    for (auto& name : wanted)
        missing.insert(ascii::to_lower(name));
    std::vector<std::string> gone;
    std::string after;
    for (;;) {
        const auto page = co_await store_.members(group, after, kMemberPage);
        if (!page) {
            co_return page.error();
        }
        for (const auto& name : *page) {
            if (missing.erase(ascii::to_lower(name)) == 0) gone.push_back(name);
        }
        if (page->size() < kMemberPage) {
            break;
        }
        after = page->back();
    }
    std::erase_if(wanted, [&missing](const std::string& name) {
        return !missing.contains(ascii::to_lower(name));
    });
    if (wanted.empty() && gone.empty()) {
        co_return ErrorCode();
    }
    const auto edited = co_await store_.edit_members(
        std::move(group), std::move(wanted), std::move(gone), std::move(author));
    co_return edited ? ErrorCode() : edited.error();
}

Task<ChangeOutcome> RecipientService::remove(
    RecipientKind kind,
    ChangeRequest request,
    OrganizationPtr organization,
    const ObjectSet& objects) {
    const auto found = co_await find(request.name);
    if (!found) {
        co_return failed_outcome(found.error());
    }
    if (!*found) {
        co_return not_found_outcome(no_such(kind, request.name));
    }
    const auto& current = **found;
    if (current.kind != kind) {
        co_return not_found_outcome(other_kind(kind, current));
    }
    auto opened = co_await find_opened(current);
    if (!opened.empty()) {
        co_return refused_outcome(std::move(opened));
    }
    ChangeOutcome outcome;
    outcome.before = shown(current);
    outcome.warnings = co_await removal_warnings(current, *organization);
    if (request.what_if) {
        co_return outcome;
    }
    auto edits = follow_recipient(objects, current.name, {});
    const auto stored =
        co_await store_.remove(current.name, std::move(request.author), std::move(edits));
    if (!stored) {
        co_return failed_outcome(stored.error());
    }
    co_return outcome;
}

// An accept_from that loses its last name is empty, and an empty one accepts everybody.
Task<std::vector<Problem>> RecipientService::find_opened(const MailRecipient& recipient) {
    std::vector<Problem> problems;
    const auto title = title_of(recipient.kind, recipient.name);
    const auto opened = co_await store_.accepting_only(recipient.name, kReferrersNamed + 1);
    if (!opened) {
        problems.push_back({title, {}, "could not be checked: " + opened.error().message()});
    } else if (!opened->empty()) {
        problems.push_back(
            {title,
             {},
             "is all that accept_from of " + listed(*opened) +
                 " names, and without it everybody could send there: change that first, with "
                 "--accept-from NAME (or --accept-from none, to open it)"});
    }
    co_return problems;
}

// Whoever refers to it loses it.
Task<std::vector<std::string>> RecipientService::removal_warnings(
    const MailRecipient& recipient, const Organization& organization) {
    std::vector<std::string> warnings;
    const auto referrers = co_await store_.referrers(recipient.name, kReferrersNamed + 1);
    if (referrers && !referrers->empty()) {
        std::string text = "others refer to it and lose it: ";
        for (std::size_t i = 0; i < std::min(referrers->size(), kReferrersNamed); ++i) {
            const auto& referrer = (*referrers)[i];
            text +=
                (i == 0 ? "" : ", ") + quoted(referrer.name) + " (" + to_text(referrer.role) + ")";
        }
        warnings.push_back(text + (referrers->size() > kReferrersNamed ? " and more" : ""));
    }
    for (const auto& domain : organization.accepted_domains()) {
        if (ascii::equal_ignoring_case(domain.catch_all, recipient.name)) {
            warnings.push_back(
                "it is the catch_all of accepted-domain " + quoted(domain.name) +
                ", which has none then: what nobody has is " +
                (domain.type == AcceptedDomainType::internal_relay ? "relayed" : "refused") +
                " there from now on");
        }
    }
    const auto postmaster = postmaster_of(organization);
    if (recipient.has_address(postmaster.lookup_key())) {
        warnings.push_back(nobody_is_postmaster(postmaster));
    }
    co_return warnings;
}

Task<Result<std::optional<json::object>>> RecipientService::show(std::string name) {
    const auto found = co_await find(name);
    if (!found) {
        co_return found.error();
    }
    std::optional<json::object> document;
    if (!*found) {
        co_return document;
    }
    const auto& recipient = **found;
    document = shown(recipient);
    (*document)["kind"] = to_text(recipient.kind);
    if (recipient.kind == RecipientKind::group) {
        auto members = co_await all_members(recipient.name);
        if (!members) {
            co_return members.error();
        }
        (*document)["member_count"] = members->size();
        if (members->size() > kMembersShown) {
            members->resize(kMembersShown);
        }
        (*document)["members"] = std::move(*members);
    }
    co_return document;
}

Task<Result<json::array>> RecipientService::all_members(std::string group) {
    json::array names;
    std::string after;
    for (;;) {
        const auto page = co_await store_.members(group, after, kMemberPage);
        if (!page) {
            co_return page.error();
        }
        for (const auto& name : *page)
            names.emplace_back(name);
        if (page->size() < kMemberPage) {
            break;
        }
        after = page->back();
    }
    co_return names;
}

}  // namespace mailflow
