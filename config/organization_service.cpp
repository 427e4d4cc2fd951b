#include "config/organization_service.hpp"

#include "config/address_policy_rules.hpp"
#include "config/address_rewrite_rules.hpp"
#include "config/catch_all_rules.hpp"
#include "config/change_set.hpp"
#include "config/object_rules.hpp"
#include "config/object_secrets.hpp"
#include "config/organization_loader.hpp"
#include "config/reference_warnings.hpp"
#include "config/schema/suggestion.hpp"
#include "config/service_outcomes.hpp"
#include "config/standing_objects.hpp"
#include "config/validation.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;
using schema::ObjectType;
using schema::Problem;

namespace {

// Problems that an edit brings: what was wrong before it, elsewhere, does not stop it.
std::vector<Problem> new_problems(
    const std::vector<Problem>& before, std::vector<Problem> after, const std::string& title) {
    const auto is_old = [&](const Problem& problem) {
        const auto text = problem.text();
        return problem.object != title &&
               std::any_of(before.begin(), before.end(), [&text](const Problem& old) {
                   return old.text() == text;
               });
    };
    after.erase(std::remove_if(after.begin(), after.end(), is_old), after.end());
    return after;
}

std::vector<std::string> new_warnings(
    const std::vector<std::string>& before, std::vector<std::string> after) {
    const auto is_old = [&before](const std::string& warning) {
        return std::find(before.begin(), before.end(), warning) != before.end();
    };
    after.erase(std::remove_if(after.begin(), after.end(), is_old), after.end());
    return after;
}

ChangeOutcome no_such_type(std::string_view type) {
    std::vector<std::string_view> names;
    for (const auto& known : schema::object_types())
        names.push_back(known.name);
    return not_found_outcome(
        "there is no object type \"" + std::string(type) + "\"" +
        schema::did_you_mean(type, names));
}

ChangeOutcome no_such_object(
    const ObjectType& type, const std::string& name, const ObjectSet& objects) {
    std::vector<std::string_view> names;
    for (const auto& record : objects.objects) {
        if (record.type == type.name) names.push_back(record.name);
    }
    return not_found_outcome(
        "there is no " + schema::object_title(type, name) + schema::did_you_mean(name, names));
}

}  // namespace

OrganizationService::OrganizationService(Parts parts)
    : parts_(std::move(parts))
    , recipients_(parts_.recipients, parts_.hash_password) {}

Task<void> OrganizationService::take_turn() {
    if (!busy_) {
        busy_ = true;
        co_return;
    }
    OneShot<bool> turn;
    waiting_.push_back(&turn);
    co_await turn.wait();
}

void OrganizationService::end_turn() noexcept {
    if (waiting_.empty()) {
        busy_ = false;
        return;
    }
    auto* next = waiting_.front();
    waiting_.pop_front();
    next->complete(true);
}

Task<ErrorCode> OrganizationService::refresh() {
    auto read = co_await parts_.objects.read_all();
    if (!read) {
        co_return read.error();
    }
    objects_ = std::move(*read);
    co_return ErrorCode();
}

void OrganizationService::publish(OrganizationPtr organization) {
    organization_ = std::move(organization);
    if (parts_.publish) {
        parts_.publish(organization_);
    }
}

Task<Result<std::vector<Problem>>> OrganizationService::open(FirstStart first) {
    co_await take_turn();
    const Turn turn(*this);
    auto error = co_await refresh();
    if (error) {
        co_return error;
    }
    if (objects_.objects.empty()) {
        auto created = co_await create_first_objects(std::move(first));
        if (!created) {
            co_return created.error();
        }
        if (!created->empty()) {
            co_return std::move(*created);
        }
        error = co_await refresh();
        if (error) {
            co_return error;
        }
    }
    error = co_await add_standing_objects();
    if (error) {
        co_return error;
    }
    std::vector<Problem> problems;
    auto parts = load_organization(objects_, parts_.node, problems);
    if (!problems.empty()) {
        co_return problems;
    }
    problems = find_problems(parts);
    publish(std::make_shared<const Organization>(std::move(parts)));
    co_return problems;
}

// A store of an older program has no default policy: recipients keep their addresses until it is
// applied. A node may have another name or site since the last start.
Task<ErrorCode> OrganizationService::add_standing_objects() {
    std::vector<Problem> unreadable;
    const auto parts = load_organization(objects_, parts_.node, unreadable);
    if (!unreadable.empty()) {
        co_return ErrorCode();
    }
    auto changes = missing_standing_objects(objects_, parts, false);
    const auto moved = moved_node(objects_, parts);
    changes.insert(changes.end(), moved.begin(), moved.end());
    if (changes.empty()) {
        co_return ErrorCode();
    }
    const ChangeAuthor author{"mailflowd", "upgrade"};
    const auto stored =
        co_await parts_.objects.change(objects_.version, std::move(changes), author);
    if (!stored) {
        co_return stored.error();
    }
    const auto error = co_await refresh();
    co_return error;
}

Task<ChangeOutcome> OrganizationService::create(ChangeRequest request) {
    const auto* type = schema::find_type(request.type);
    if (type == nullptr) {
        co_return no_such_type(request.type);
    }
    request.fields.erase("name");  // the request has it
    co_await take_turn();
    const Turn turn(*this);
    if (const auto kind = kind_of(type->name)) {
        auto made = co_await recipients_.create(*kind, std::move(request), organization_);
        co_return made;
    }
    auto made = co_await create_object(*type, std::move(request));
    co_return made;
}

Task<ChangeOutcome> OrganizationService::set(ChangeRequest request) {
    const auto* type = schema::find_type(request.type);
    if (type == nullptr) {
        co_return no_such_type(request.type);
    }
    co_await take_turn();
    const Turn turn(*this);
    if (const auto kind = kind_of(type->name)) {
        auto changed = co_await set_recipient(*kind, std::move(request));
        co_return changed;
    }
    auto changed = co_await set_object(*type, std::move(request));
    co_return changed;
}

Task<ChangeOutcome> OrganizationService::remove(ChangeRequest request) {
    const auto* type = schema::find_type(request.type);
    if (type == nullptr) {
        co_return no_such_type(request.type);
    }
    co_await take_turn();
    const Turn turn(*this);
    if (const auto kind = kind_of(type->name)) {
        auto removed = co_await remove_recipient(*kind, std::move(request));
        co_return removed;
    }
    auto removed = co_await remove_object(*type, std::move(request));
    co_return removed;
}

Task<ChangeOutcome> OrganizationService::create_object(
    const ObjectType& type, ChangeRequest request) {
    const auto error = co_await refresh();
    if (error) {
        co_return failed_outcome(error);
    }
    const auto title = schema::object_title(type, request.name);
    if (type.single) {
        co_return refused_outcome({title, {}, "there is exactly one; change it with set"});
    }
    const auto name_problem = schema::check_name(request.name);
    if (!name_problem.empty()) {
        co_return refused_outcome({title, "name", name_problem});
    }
    if (find_object(objects_, type.name, request.name) != nullptr) {
        co_return refused_outcome({title, "name", "is taken: change that object with set"});
    }
    auto made = make_document(type, request.name, request.fields, parts_.node);
    if (!made.ok()) {
        co_return refused_outcome(std::move(made.problems));
    }
    const auto unasked = co_await spell_catch_all(parts_.recipients, made.document);
    if (unasked) {
        co_return failed_outcome(unasked);
    }
    Draft draft{title, {}, {}, {}};
    auto problems =
        seal_secrets(parts_.secrets, {type, request.name, request.name, nullptr, made.document});
    if (!problems.empty()) {
        co_return refused_outcome(std::move(problems));
    }
    problems = settle_edit(objects_, {type, request.name, nullptr, made.document, draft.changes});
    if (!problems.empty()) {
        co_return refused_outcome(std::move(problems));
    }
    draft.after = named_document(type, request.name, made.document);
    draft.changes.push_back({request.type, request.name, json::serialize(made.document), {}});
    auto outcome = co_await store(std::move(draft), std::move(request));
    co_return outcome;
}

Task<ChangeOutcome> OrganizationService::set_object(const ObjectType& type, ChangeRequest request) {
    const auto error = co_await refresh();
    if (error) {
        co_return failed_outcome(error);
    }
    if (type.single) {
        request.name = schema::kSingleName;
    }
    const auto* record = find_object(objects_, type.name, request.name);
    if (record == nullptr) {
        co_return no_such_object(type, request.name, objects_);
    }
    const auto title = schema::object_title(type, record->name);
    auto renamed = take_new_name(type, record->name, request.fields);
    if (!renamed.problem.empty()) {
        co_return refused_outcome({title, "name", std::move(renamed.problem)});
    }
    const auto* holder =
        renamed.name.empty() ? nullptr : find_object(objects_, type.name, renamed.name);
    if (holder != nullptr && holder != record) {
        co_return refused_outcome({title, "name", "\"" + renamed.name + "\" is taken"});
    }
    std::vector<Problem> unreadable;
    const auto current = read_document(*record, unreadable);
    if (!unreadable.empty()) {
        co_return refused_outcome(std::move(unreadable));
    }
    auto problems = check_standing_edit(type.name, record->name, request.fields, renamed.name);
    if (!problems.empty()) {
        co_return refused_outcome(std::move(problems));
    }
    auto edited = edit_document(type, record->name, current, request.fields, parts_.node);
    if (!edited.ok()) {
        co_return refused_outcome(std::move(edited.problems));
    }
    const auto unasked = co_await spell_catch_all(parts_.recipients, edited.document);
    if (unasked) {
        co_return failed_outcome(unasked);
    }
    const auto& name_after = renamed.name.empty() ? record->name : renamed.name;
    Draft draft{
        schema::object_title(type, name_after),
        {},
        named_document(type, record->name, current),
        {}};
    problems =
        seal_secrets(parts_.secrets, {type, record->name, name_after, &current, edited.document});
    if (!problems.empty()) {
        co_return refused_outcome(std::move(problems));
    }
    problems =
        settle_edit(objects_, {type, record->name, &current, edited.document, draft.changes});
    if (!problems.empty()) {
        co_return refused_outcome(std::move(problems));
    }
    draft.after = named_document(type, name_after, edited.document);
    draft.changes.push_back(
        {request.type, record->name, json::serialize(edited.document), renamed.name});
    auto outcome = co_await store(std::move(draft), std::move(request));
    co_return outcome;
}

Task<ChangeOutcome> OrganizationService::remove_object(
    const ObjectType& type, ChangeRequest request) {
    const auto error = co_await refresh();
    if (error) {
        co_return failed_outcome(error);
    }
    if (type.single) {
        co_return refused_outcome(
            {schema::object_title(type, {}), {}, "cannot be removed; change it with set"});
    }
    const auto* record = find_object(objects_, type.name, request.name);
    if (record == nullptr) {
        co_return no_such_object(type, request.name, objects_);
    }
    std::vector<Problem> ignored;  // an object that cannot be read can still be removed
    const auto current = read_document(*record, ignored);
    Draft draft{
        schema::object_title(type, record->name),
        {{request.type, record->name, {}, {}}},
        named_document(type, record->name, current),
        {}};
    auto problems =
        settle_removal(objects_, type, record->name, current, parts_.node, draft.changes);
    if (!problems.empty()) {
        co_return refused_outcome(std::move(problems));
    }
    auto outcome = co_await store(std::move(draft), std::move(request));
    co_return outcome;
}

Task<ChangeOutcome> OrganizationService::store(Draft draft, ChangeRequest request) {
    auto next = with_changes(objects_, draft.changes);
    std::vector<Problem> unreadable_before;
    const auto before = load_organization(objects_, parts_.node, unreadable_before);
    std::vector<Problem> problems;
    auto parts = load_organization(next, parts_.node, problems);
    const auto standing = problems.empty() ? missing_standing_objects(next, parts, false)
                                           : std::vector<ObjectChange>();
    if (!standing.empty()) {
        // The first authoritative domain: now there can be a default policy.
        draft.changes.insert(draft.changes.end(), standing.begin(), standing.end());
        next = with_changes(std::move(next), standing);
        parts = load_organization(next, parts_.node, problems);
    }
    if (problems.empty() && request.type == "accepted-domain") {
        problems = find_policies_in_the_way(before, parts, draft.title);
        const auto more = find_rewrites_in_the_way(before, parts, draft.title);
        problems.insert(problems.end(), more.begin(), more.end());
    }
    if (problems.empty()) {
        problems = new_problems(find_problems(before), find_problems(parts), draft.title);
    }
    if (!problems.empty()) {
        co_return refused_outcome(std::move(problems));
    }
    auto warnings = new_warnings(find_warnings(before), find_warnings(parts));
    for (const auto& change : standing)
        warnings.push_back(said_of_standing(change));
    problems = co_await find_relay_loops(parts_.find_mx, before, parts);
    if (!problems.empty()) {
        co_return refused_outcome(std::move(problems));
    }
    auto organization = std::make_shared<Organization>(std::move(parts));
    auto lost = co_await find_lost_domains(*organization);
    if (!lost.empty()) {
        co_return refused_outcome(std::move(lost));
    }
    auto refused = co_await find_refused_bindings(organization);
    if (!refused.empty()) {
        co_return refused_outcome(std::move(refused));
    }
    auto more = co_await postmaster_warnings(*organization);
    warnings.insert(warnings.end(), more.begin(), more.end());
    more = co_await find_missing_recipients(parts_.recipients, organization_.get(), *organization);
    warnings.insert(warnings.end(), more.begin(), more.end());
    more = certificate_warnings(*organization);
    warnings.insert(warnings.end(), more.begin(), more.end());
    ChangeOutcome outcome;
    outcome.warnings = std::move(warnings);
    outcome.before = std::move(draft.before);
    outcome.after = std::move(draft.after);
    outcome.version = objects_.version;
    if (request.what_if) {
        co_return outcome;
    }
    const auto stored = co_await parts_.objects.change(
        objects_.version, std::move(draft.changes), std::move(request.author));
    if (!stored) {
        co_return failed_outcome(stored.error());
    }
    next.version = *stored;
    outcome.version = *stored;
    objects_ = std::move(next);
    problems = {};
    publish(
        std::make_shared<const Organization>(load_organization(objects_, parts_.node, problems)));
    co_return outcome;
}

std::vector<json::object> OrganizationService::list(std::string_view type) const {
    std::vector<json::object> objects;
    const auto* known = schema::find_type(type);
    for (const auto& record : objects_.objects) {
        std::vector<Problem> ignored;
        if (known != nullptr && record.type == type) {
            objects.push_back(named_document(*known, record.name, read_document(record, ignored)));
        }
    }
    return objects;
}

std::optional<json::object> OrganizationService::show(
    std::string_view type, std::string_view name) const {
    const auto* known = schema::find_type(type);
    if (known == nullptr) {
        return std::nullopt;
    }
    const auto* record = find_object(objects_, type, known->single ? schema::kSingleName : name);
    if (record == nullptr) {
        return std::nullopt;
    }
    std::vector<Problem> ignored;
    return named_document(*known, record->name, read_document(*record, ignored));
}

Task<Result<std::vector<ObjectVersion>>> OrganizationService::history(std::size_t limit) {
    auto versions = co_await parts_.objects.history(limit);
    co_return versions;
}

}  // namespace mailflow
