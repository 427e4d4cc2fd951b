// The part of OrganizationService that concerns recipients: turns for the RecipientService, the
// first start, domains in use, policies applied.
#include "config/change_set.hpp"
#include "config/organization_loader.hpp"
#include "config/organization_service.hpp"
#include "config/service_outcomes.hpp"
#include "config/validation.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;

namespace {

constexpr std::size_t kPageSize = 1000;
constexpr std::string_view kPostmaster = "postmaster";

bool has_policy(const Organization& organization, std::string_view name) {
    const auto& policies = organization.address_policies();
    return std::any_of(policies.begin(), policies.end(), [name](const AddressPolicy& policy) {
        return ascii::equal_ignoring_case(policy.name, name);
    });
}

// Differs when policies say something else, whether they are applied or not.
std::string policies_mark(const Organization& organization) {
    std::string text;
    const auto add = [&text](std::string_view word) {
        text.append(word).push_back('\n');
    };
    for (const auto& policy : organization.address_policies()) {
        add(policy.name);
        add(std::to_string(policy.priority));
        add(policy.primary_template);
        for (const auto& secondary : policy.secondary_templates)
            add(secondary);
        for (const auto kind : policy.included_recipients)
            add(to_text(kind));
        for (const auto& condition : policy.conditions) {
            add(condition.field);
            for (const auto& value : condition.values)
                add(value);
        }
        add(policy.recipient_filter);
    }
    return std::to_string(std::hash<std::string>()(text));
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
    const auto organization = std::make_shared<const Organization>(std::move(parts));
    const ChangeAuthor author{"mailflowd", "first start"};
    const auto there = co_await parts_.recipients.find(std::string(kPostmaster));
    if (!there) {
        co_return there.error();
    }
    if (!*there) {
        ChangeRequest request{"mailbox", std::string(kPostmaster), {}, author};
        const auto made =
            co_await recipients_.create(RecipientKind::mailbox, std::move(request), organization);
        if (made.error) {
            co_return made.error;
        }
        if (!made.ok()) {
            co_return made.problems;
        }
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

Task<ChangeOutcome> OrganizationService::set_recipient(RecipientKind kind, ChangeRequest request) {
    auto error = co_await refresh();
    if (error) {
        co_return failed_outcome(error);
    }
    auto changed =
        co_await recipients_.set(kind, std::move(request), organization_, std::as_const(objects_));
    error = co_await publish_changes();
    if (changed.ok() && error) {
        co_return failed_outcome(error);
    }
    co_return changed;
}

Task<ChangeOutcome> OrganizationService::remove_recipient(
    RecipientKind kind, ChangeRequest request) {
    auto error = co_await refresh();
    if (error) {
        co_return failed_outcome(error);
    }
    auto removed = co_await recipients_.remove(
        kind, std::move(request), organization_, std::as_const(objects_));
    error = co_await publish_changes();
    if (removed.ok() && error) {
        co_return failed_outcome(error);
    }
    co_return removed;
}

// Objects may have followed a recipient.
Task<ErrorCode> OrganizationService::publish_changes() {
    const auto before = objects_;
    const auto error = co_await refresh();
    if (error || objects_.objects == before.objects) {
        co_return error;
    }
    std::vector<Problem> problems;
    publish(
        std::make_shared<const Organization>(load_organization(objects_, parts_.node, problems)));
    co_return ErrorCode();
}

// Reference 3.4: a domain in use cannot go. In use is what a recipient has an address in and `next`
// would not accept.
Task<std::vector<Problem>> OrganizationService::find_lost_domains(const Organization& next) {
    std::vector<Problem> problems;
    std::string after;
    for (;;) {
        const auto page = co_await parts_.recipients.domains(after, kPageSize);
        if (!page) {
            problems.push_back({{}, {}, "recipients could not be read: " + page.error().message()});
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
                     " recipients have an address in " + text +
                     "; remove those addresses or recipients first"});
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

Task<Result<RecipientPage>> OrganizationService::list_recipients(RecipientQuery query) {
    std::optional<Turn> turn;
    if (whole_) {
        co_await take_turn();
        turn.emplace(*this);
    }
    auto page = co_await recipients_.page(std::move(query));
    co_return page;
}

Task<Result<std::optional<json::object>>> OrganizationService::show_recipient(std::string name) {
    std::optional<Turn> turn;
    if (whole_) {
        co_await take_turn();
        turn.emplace(*this);
    }
    auto found = co_await recipients_.show(std::move(name));
    co_return found;
}

Task<BatchOutcome> OrganizationService::import_recipients(ImportRequest request) {
    co_await take_turn();
    const Turn turn(*this);
    auto outcome = co_await recipients_.import(std::move(request), organization_);
    co_return outcome;
}

// Also in turn: rows come between no two batches of one that is taken.
Task<BatchOutcome> OrganizationService::stage_recipients(ImportRequest request, WholeImport whole) {
    co_await take_turn();
    const Turn turn(*this);
    auto outcome = co_await recipients_.stage(std::move(request), std::move(whole));
    co_return outcome;
}

Task<BatchOutcome> OrganizationService::import_staged_recipients(
    std::string id, ChangeAuthor author) {
    co_await take_turn();
    const Turn turn(*this);
    whole_ = true;
    auto outcome =
        co_await recipients_.import_staged(std::move(id), std::move(author), organization_);
    whole_ = false;
    co_return outcome;
}

Task<BatchOutcome> OrganizationService::set_recipients(SetWhereRequest request) {
    co_await take_turn();
    const Turn turn(*this);
    auto outcome = co_await recipients_.set_where(std::move(request), organization_);
    co_return outcome;
}

Task<PolicyRunPage> OrganizationService::apply_policies(PolicyRunRequest request) {
    co_await take_turn();
    const Turn turn(*this);
    PolicyRunPage page;
    const auto mark = policies_mark(*organization_);
    if (!request.mark.empty() && request.mark != mark) {
        page.problems.push_back(
            {"address-policy apply",
             {},
             "the address policies were changed while they were applied: run it again"});
        co_return page;
    }
    if (!request.policy.empty() && !has_policy(*organization_, request.policy)) {
        page.problems.push_back(
            {{},
             {},
             "there is no address-policy \"" + request.policy +
                 "\"; smtpctl address-policy list shows them"});
        co_return page;
    }
    const auto policy = request.policy;
    const auto author = request.author;
    const bool marks = !request.what_if && !request.secondary_only;
    page = co_await recipients_.apply_policies(std::move(request), organization_);
    page.mark = mark;
    if (marks && !page.error && page.next.empty()) {
        page.error = co_await mark_applied(policy, author);
    }
    co_return page;
}

// Reference 4.1, RecipientFilterApplied.
Task<ErrorCode> OrganizationService::mark_applied(std::string policy, ChangeAuthor author) {
    const auto error = co_await refresh();
    if (error) {
        co_return error;
    }
    std::vector<ObjectChange> changes;
    for (const auto& record : objects_.objects) {
        const bool meant = record.type == "address-policy" &&
                           (policy.empty() || ascii::equal_ignoring_case(record.name, policy));
        std::vector<Problem> ignored;
        auto document = meant ? read_document(record, ignored) : json::object();
        if (!document.empty() && !document.at("applied").as_bool()) {
            document["applied"] = true;
            changes.push_back({record.type, record.name, json::serialize(document), {}});
        }
    }
    if (changes.empty()) {
        co_return ErrorCode();
    }
    auto next = with_changes(objects_, changes);
    const auto stored =
        co_await parts_.objects.change(objects_.version, std::move(changes), std::move(author));
    if (!stored) {
        co_return stored.error();
    }
    next.version = *stored;
    objects_ = std::move(next);
    std::vector<Problem> problems;
    publish(
        std::make_shared<const Organization>(load_organization(objects_, parts_.node, problems)));
    co_return ErrorCode();
}

}  // namespace mailflow
