// The part of OrganizationService that writes everything as one text and makes everything as a text
// says.
#include "config/change_set.hpp"
#include "config/object_secrets.hpp"
#include "config/organization_loader.hpp"
#include "config/organization_service.hpp"
#include "config/service_outcomes.hpp"
#include "config/toml_text.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <set>

namespace mailflow {

namespace json = boost::json;
using schema::ObjectType;
using schema::Problem;

namespace {

constexpr std::size_t kPageSize = 1000;

// What another node has its own of.
bool is_of_one_node(const ObjectType& type) {
    return type.name == "receive-connector";
}

json::object exported(const ObjectType& type, const ObjectRecord& record, bool with_secrets) {
    std::vector<Problem> ignored;
    auto document = read_document(record, ignored);
    for (const auto& field : type.fields) {
        const bool secret = field.kind == schema::ValueKind::secret;
        const auto* value = secret ? document.if_contains(field.name) : nullptr;
        const bool empty = value != nullptr && value->is_string() && value->get_string().empty();
        if (value != nullptr && (empty || !with_secrets)) {
            document.erase(field.name);
        }
    }
    return document;
}

ObjectDifference::Kind kind_of_row(RowOutcome::Status status) {
    return status == RowOutcome::Status::created ? ObjectDifference::Kind::created
                                                 : ObjectDifference::Kind::changed;
}

}  // namespace

Task<Result<std::string>> OrganizationService::export_toml(ExportRequest request) {
    const auto error = co_await refresh();
    if (error) {
        co_return error;
    }
    std::string text;
    std::string absent;
    for (const auto& type : schema::object_types()) {
        if (type.is_recipient || (request.shared && is_of_one_node(type))) {
            continue;
        }
        const auto before = text.size();
        for (const auto& record : objects_.objects) {
            if (record.type == type.name) {
                text +=
                    toml_object(type, record.name, exported(type, record, request.with_secrets));
            }
        }
        if (text.size() == before) {
            absent += toml_nothing(type);
        }
    }
    std::string recipients;
    const auto unread = co_await export_recipients(recipients);
    if (unread) {
        co_return unread;
    }
    for (const auto& type : schema::object_types()) {
        const auto table = "[[" + std::string(type.toml_name) + "]]";
        if (type.is_recipient && recipients.find(table) == std::string::npos) {
            absent += toml_nothing(type);
        }
    }
    co_return toml_header() + (absent.empty() ? "" : "\n" + absent) + text + recipients;
}

Task<ErrorCode> OrganizationService::export_recipients(std::string& text) {
    std::string after;
    for (;;) {
        const auto page = co_await parts_.recipients.page(after, kPageSize);
        if (!page) {
            co_return page.error();
        }
        for (const auto& recipient : *page) {
            auto document = recipient_document(recipient);
            if (recipient.kind == RecipientKind::group) {
                auto members = co_await recipients_.all_members(recipient.name);
                if (!members) {
                    co_return members.error();
                }
                document["members"] = std::move(*members);
            }
            text += toml_object(type_of(recipient.kind), recipient.name, document);
        }
        if (page->size() < kPageSize) {
            break;
        }
        after = page->back().name;
    }
    co_return ErrorCode();
}

// ---- a text

Task<ApplyOutcome> OrganizationService::apply_toml(ApplyRequest request) {
    ApplyOutcome answer;
    co_await take_turn();
    const Turn turn(*this);
    const auto error = co_await refresh();
    if (error) {
        answer.result = failed_outcome(error);
        co_return answer;
    }
    const auto written = read_configuration(request.text);
    auto plan = plan_objects(objects_, written, parts_.node, parts_.secrets);
    plan.problems.insert(plan.problems.begin(), written.problems.begin(), written.problems.end());
    if (!plan.problems.empty()) {
        answer.result = refused_outcome(std::move(plan.problems));
        co_return answer;
    }
    answer.differences = std::move(plan.differences);
    auto organization = organization_;
    if (!plan.changes.empty()) {
        std::vector<Problem> unreadable;
        organization = std::make_shared<const Organization>(
            load_organization(with_changes(objects_, plan.changes), parts_.node, unreadable));
        ChangeRequest change;
        change.author = request.author;
        change.what_if = request.what_if;
        Draft draft;
        draft.changes = std::move(plan.changes);
        answer.result = co_await store(std::move(draft), std::move(change));
        if (!answer.result.ok()) {
            co_return answer;
        }
    }
    co_await apply_recipients(written, request, std::move(organization), answer);
    co_return answer;
}

Task<void> OrganizationService::apply_recipients(
    const WrittenConfiguration& written,
    const ApplyRequest& request,
    OrganizationPtr organization,
    ApplyOutcome& answer) {
    ImportRequest batch;
    batch.author = request.author;
    batch.what_if = request.what_if;
    std::uint64_t number = 0;
    for (const auto& object : written.objects) {
        if (!object.type->is_recipient) {
            continue;
        }
        auto fields = object.fields;
        fields["name"] = object.name;
        fields["kind"] = object.type->name;
        if (kind_of(object.type->name) == RecipientKind::group) {
            co_await drop_same_members(object.name, fields);
        }
        batch.rows.push_back({++number, std::move(fields)});
        if (batch.rows.size() == kRecipientBatch) {
            auto full = batch;
            co_await apply_batch(std::move(full), organization, answer);
            batch.rows.clear();
        }
    }
    if (!batch.rows.empty()) {
        co_await apply_batch(std::move(batch), organization, answer);
    }
    for (const auto kind : {RecipientKind::group, RecipientKind::contact, RecipientKind::mailbox}) {
        const bool spoken_of = written.types.contains(type_of(kind).name);
        if (spoken_of && answer.result.ok()) {
            co_await remove_others(kind, written, request, answer);
        }
    }
}

// Members that are as written are no change of the group.
Task<void> OrganizationService::drop_same_members(const std::string& group, json::object& fields) {
    const auto* written = fields.if_contains("members");
    if (written == nullptr || !written->is_array()) {
        co_return;
    }
    const auto there = co_await parts_.recipients.find(group);
    if (!there || !*there) {
        co_return;
    }
    const auto members = co_await recipients_.all_members(group);
    if (members && *members == written->get_array()) {
        fields.erase("members");
    }
}

Task<void> OrganizationService::apply_batch(
    ImportRequest request, OrganizationPtr organization, ApplyOutcome& answer) {
    if (!answer.result.ok()) {
        co_return;
    }
    auto done = co_await recipients_.import(std::move(request), std::move(organization));
    if (done.error) {
        answer.result = failed_outcome(done.error);
        co_return;
    }
    auto problems = std::move(done.problems);
    for (auto& row : done.rows) {
        if (row.status == RowOutcome::Status::refused) {
            problems.insert(problems.end(), row.problems.begin(), row.problems.end());
        } else if (row.status != RowOutcome::Status::unchanged) {
            answer.differences.push_back(
                {kind_of_row(row.status), std::string(type_of(row.kind).name), row.name});
        }
    }
    if (!problems.empty()) {
        answer.result.status = ChangeOutcome::Status::refused;
        answer.result.problems = std::move(problems);
    }
}

Task<void> OrganizationService::remove_others(
    RecipientKind kind,
    const WrittenConfiguration& written,
    const ApplyRequest& request,
    ApplyOutcome& answer) {
    const auto& type = type_of(kind);
    std::set<std::string> stay;
    for (const auto& object : written.objects) {
        if (object.type == &type) stay.insert(ascii::to_lower(object.name));
    }
    std::vector<std::string> gone;
    std::string after;
    for (;;) {
        const auto page = co_await parts_.recipients.page(after, kPageSize);
        if (!page) {
            answer.result = failed_outcome(page.error());
            co_return;
        }
        for (const auto& recipient : *page) {
            const bool stays =
                recipient.kind != kind || stay.contains(ascii::to_lower(recipient.name));
            if (!stays) gone.push_back(recipient.name);
        }
        if (page->size() < kPageSize) {
            break;
        }
        after = page->back().name;
    }
    for (const auto& name : gone) {
        ChangeRequest removal;
        removal.type = type.name;
        removal.name = name;
        removal.author = request.author;
        removal.what_if = request.what_if;
        auto removed = co_await remove_recipient(kind, std::move(removal));
        if (!removed.ok()) {
            answer.result = std::move(removed);
            co_return;
        }
        answer.result.warnings.insert(
            answer.result.warnings.end(), removed.warnings.begin(), removed.warnings.end());
        answer.differences.push_back(
            {ObjectDifference::Kind::removed, std::string(type.name), name});
    }
}

}  // namespace mailflow
