#include "server/admin/config_resource.hpp"

#include "server/admin/json_answers.hpp"
#include "transport/net/call_on.hpp"

#include <boost/json/array.hpp>

namespace mailflow {

namespace json = boost::json;

namespace {

const char* to_text(ObjectDifference::Kind kind) {
    switch (kind) {
        case ObjectDifference::Kind::created: return "created";
        case ObjectDifference::Kind::changed: return "changed";
        case ObjectDifference::Kind::removed: return "removed";
    }
    return "";
}

json::array to_json(const std::vector<ObjectDifference>& differences) {
    json::array array;
    for (const auto& difference : differences) {
        json::array fields;
        for (const auto& field : difference.fields) {
            fields.push_back(json::object{
                {"field", field.field}, {"before", field.before}, {"after", field.after}});
        }
        array.push_back(json::object{
            {"change", to_text(difference.kind)},
            {"type", difference.type},
            {"name", difference.name},
            {"fields", std::move(fields)}});
    }
    return array;
}

HttpResponse failure_of(const ChangeOutcome& outcome) {
    std::string text;
    for (const auto& problem : outcome.problems) {
        text += (text.empty() ? "" : "\n") + problem.text();
    }
    return json_error(outcome.status == ChangeOutcome::Status::failed ? 503 : 400, text);
}

}  // namespace

Task<HttpResponse> ConfigResource::handle(HttpRequest request) {
    HttpResponse answer = json_error(405, "GET exports, POST applies");
    if (request.path.size() != 2) {
        answer = json_error(404, "there is no such resource");
    } else if (request.method == HttpMethod::get) {
        answer = co_await export_text(std::move(request));
    } else if (request.method == HttpMethod::post) {
        answer = co_await apply(std::move(request));
    }
    co_return answer;
}

Task<HttpResponse> ConfigResource::export_text(HttpRequest request) {
    ExportRequest what;
    what.shared = request.parameter("shared") == "true";
    what.with_secrets = request.parameter("with_secrets") == "true";
    auto text = co_await service_.export_toml(what);
    if (!text) {
        co_return json_error(503, "the configuration could not be read: " + text.error().message());
    }
    co_return HttpResponse{200, "application/toml", std::move(*text)};
}

Task<HttpResponse> ConfigResource::apply(HttpRequest request) {
    json::object body;
    const bool is_object = parse_object(request.body, body);
    const auto* text = is_object ? body.if_contains("text") : nullptr;
    if (text == nullptr || !text->is_string()) {
        co_return json_error(400, "the body must be a JSON object with \"text\"");
    }
    ApplyRequest what;
    what.text = std::string(text->get_string());
    what.what_if = request.parameter("what_if") == "true";
    what.author.who = request.caller.text() + " via admin socket";
    what.author.what = "config apply";
    const bool changes = !what.what_if;
    auto outcome = co_await service_.apply_toml(std::move(what));
    if (!outcome.result.ok()) {
        co_return failure_of(outcome.result);
    }
    if (changes) {
        // As after a change of one object: each lane has answered when the new one is in force.
        const auto nothing = []() -> Task<bool> {
            co_return true;
        };
        for (auto* lane : lanes_) {
            co_await call_on(console_, *lane, nothing);
        }
    }
    json::array warnings;
    for (const auto& warning : outcome.result.warnings) {
        warnings.emplace_back(warning);
    }
    json::object answer;
    answer["warnings"] = std::move(warnings);
    answer["differences"] = to_json(outcome.differences);
    co_return json_answer(answer);
}

}  // namespace mailflow
