#include "server/admin/recipients_resource.hpp"

#include "server/admin/json_answers.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>

namespace mailflow {

namespace json = boost::json;

namespace {

bool is_on(const HttpRequest& request, const char* name) {
    return request.parameter(name) == "true";
}

HttpResponse store_failed(ErrorCode error) {
    return json_error(503, "the recipients could not be read or stored: " + error.message());
}

HttpResponse refused(const std::vector<schema::Problem>& problems) {
    std::string text;
    for (const auto& problem : problems) {
        text += (text.empty() ? "" : "\n") + problem.text();
    }
    return json_error(400, text);
}

ChangeAuthor author_of(const HttpRequest& request, std::string what) {
    return {request.caller.text() + " via admin socket", std::move(what)};
}

RecipientQuery query_of(const HttpRequest& request) {
    RecipientQuery query;
    query.kind = kind_of(request.parameter("kind"));
    if (const auto where = request.parameter("where"); !where.empty()) {
        query.where.emplace_back(where);
    }
    query.after = request.parameter("after");
    if (const auto limit = ascii::parse_number(request.parameter("limit"))) {
        query.limit = *limit;
    }
    query.for_export = is_on(request, "export");
    query.with_secrets = is_on(request, "secrets");
    return query;
}

json::array array_of(const std::vector<std::string>& texts) {
    json::array array;
    for (const auto& text : texts)
        array.emplace_back(text);
    return array;
}

const char* to_text(RowOutcome::Status status) {
    switch (status) {
        case RowOutcome::Status::created: return "created";
        case RowOutcome::Status::updated: return "updated";
        case RowOutcome::Status::unchanged: return "unchanged";
        case RowOutcome::Status::refused: return "refused";
    }
    return "";
}

json::object to_json(const RowOutcome& row) {
    json::array problems;
    for (const auto& problem : row.problems) {
        problems.push_back({{"column", problem.field}, {"message", problem.message}});
    }
    return {
        {"row", row.row},
        {"status", to_text(row.status)},
        {"kind", mailflow::to_text(row.kind)},
        {"name", row.name},
        {"primary", row.primary},
        {"problems", std::move(problems)},
        {"missing", array_of(row.missing)}};
}

json::object to_json(const RowCounts& counts) {
    return {
        {"created", counts.created},
        {"updated", counts.updated},
        {"unchanged", counts.unchanged},
        {"refused", counts.refused}};
}

// Counts of all, and of the rows those that were refused; with `all` every one.
HttpResponse answer_of(const BatchOutcome& outcome, bool all) {
    if (!outcome.problems.empty()) {
        return refused(outcome.problems);
    }
    if (outcome.error) {
        return store_failed(outcome.error);
    }
    json::object counts = {{"created", 0}, {"updated", 0}, {"unchanged", 0}, {"refused", 0}};
    const bool counted = outcome.counts.has_value();
    if (counted) counts = to_json(*outcome.counts);
    json::array rows;
    for (const auto& row : outcome.rows) {
        auto& number = counts[to_text(row.status)];
        if (!counted) number = number.as_int64() + 1;
        const bool shown = row.status == RowOutcome::Status::refused ||
                           (all && row.status != RowOutcome::Status::unchanged);
        if (shown) rows.push_back(to_json(row));
    }
    return json_answer(json::object{
        {"counts", std::move(counts)}, {"rows", std::move(rows)}, {"next", outcome.next}});
}

json::object to_json(const PolicyRunPage::Change& change) {
    return {
        {"name", change.name},
        {"kind", mailflow::to_text(change.kind)},
        {"policy", change.policy},
        {"old_primary", change.old_primary},
        {"new_primary", change.new_primary},
        {"added", array_of(change.added)},
        {"numbered", array_of(change.numbered)},
        {"problem", change.problem}};
}

HttpResponse answer_of(const PolicyRunPage& page) {
    json::array changes;
    for (const auto& change : page.changes)
        changes.push_back(to_json(change));
    json::array logins;
    for (const auto& login : page.other_logins) {
        logins.push_back({{"name", login.name}, {"upn", login.upn}, {"primary", login.primary}});
    }
    return json_answer(json::object{
        {"changes", std::move(changes)},
        {"other_logins", std::move(logins)},
        {"looked_at", page.looked_at},
        {"next", page.next},
        {"mark", page.mark}});
}

// Rows of an import; false when the body is something else.
bool read_rows(const std::string& body, ImportRequest& request) {
    json::object object;
    if (!parse_object(body, object)) {
        return false;
    }
    auto* const rows = object.if_contains("rows");
    if (rows == nullptr || !rows->is_array()) {
        return false;
    }
    for (auto& row : rows->get_array()) {
        auto* const entry = row.if_object();
        auto* const fields = entry == nullptr ? nullptr : entry->if_contains("fields");
        auto* const number = entry == nullptr ? nullptr : entry->if_contains("row");
        if (fields == nullptr || !fields->is_object() || number == nullptr || !number->is_int64() ||
            number->get_int64() < 0) {
            return false;
        }
        request.rows.push_back(
            {static_cast<std::uint64_t>(number->get_int64()), std::move(fields->get_object())});
    }
    return true;
}

}  // namespace

Task<HttpResponse> RecipientsResource::handle(HttpRequest request) {
    const auto depth = request.path.size();
    const std::string verb = depth == 3 ? request.path[2] : std::string();
    auto answer = json_error(404, "there is no such resource");
    if (depth == 2 && request.method == HttpMethod::get) {
        answer = co_await list(std::move(request));
    } else if (depth == 2 && request.method == HttpMethod::patch) {
        answer = co_await set(std::move(request));
    } else if (verb == "import" && request.method == HttpMethod::post) {
        answer = co_await import(std::move(request));
    } else if (verb == "apply" && request.method == HttpMethod::post) {
        answer = co_await apply(std::move(request));
    }
    co_return answer;
}

Task<HttpResponse> RecipientsResource::list(HttpRequest request) {
    auto page = co_await service_.list_recipients(query_of(request));
    if (!page) {
        co_return store_failed(page.error());
    }
    if (!page->problems.empty()) {
        co_return refused(page->problems);
    }
    json::array rows;
    rows.reserve(page->rows.size());
    for (auto& row : page->rows)
        rows.push_back(std::move(row));
    json::object answer;
    answer["rows"] = std::move(rows);
    answer["next"] = page->next;
    co_return json_answer(answer);
}

Task<HttpResponse> RecipientsResource::set(HttpRequest request) {
    SetWhereRequest change;
    change.query = query_of(request);
    change.what_if = is_on(request, "what_if");
    if (!change.query.kind || change.query.where.empty()) {
        co_return json_error(400, "a change to many needs a kind and a condition");
    }
    if (!parse_object(request.body, change.fields) || change.fields.empty()) {
        co_return json_error(400, "the body must be a JSON object of fields");
    }
    change.author = author_of(request, "set recipients where " + change.query.where.front());
    const auto outcome = co_await service_.set_recipients(std::move(change));
    co_return answer_of(outcome, true);
}

Task<HttpResponse> RecipientsResource::import(HttpRequest request) {
    ImportRequest rows;
    rows.kind = kind_of(request.parameter("kind"));
    rows.what_if = is_on(request, "what_if");
    if (!read_rows(request.body, rows)) {
        co_return json_error(400, "the body must be {\"rows\": [{\"row\": 1, \"fields\": {…}}]}");
    }
    request.body.clear();
    rows.author = author_of(request, "import " + std::to_string(rows.rows.size()) + " recipients");
    WholeImport whole{std::string(request.parameter("whole")), is_on(request, "first")};
    if (!whole.id.empty() && is_on(request, "finish")) {
        rows.author.what = "import all or nothing";
        const auto taken =
            co_await service_.import_staged_recipients(std::move(whole.id), std::move(rows.author));
        co_return answer_of(taken, false);
    }
    if (!whole.id.empty()) {
        const auto staged = co_await service_.stage_recipients(std::move(rows), std::move(whole));
        co_return answer_of(staged, false);
    }
    const bool all = rows.what_if;
    const auto outcome = co_await service_.import_recipients(std::move(rows));
    co_return answer_of(outcome, all);
}

Task<HttpResponse> RecipientsResource::apply(HttpRequest request) {
    PolicyRunRequest run;
    run.policy = request.parameter("policy");
    run.after = request.parameter("after");
    run.mark = request.parameter("mark");
    run.secondary_only = is_on(request, "secondary_only");
    run.what_if = is_on(request, "what_if");
    run.author = author_of(request, "address-policy apply");
    const auto page = co_await service_.apply_policies(std::move(run));
    if (!page.problems.empty()) {
        co_return refused(page.problems);
    }
    if (page.error) {
        co_return store_failed(page.error);
    }
    co_return answer_of(page);
}

}  // namespace mailflow
