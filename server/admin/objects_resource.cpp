#include "server/admin/objects_resource.hpp"

#include "config/schema/object_type.hpp"
#include "server/admin/json_answers.hpp"
#include "server/admin/mx_view.hpp"
#include "transport/net/call_on.hpp"

#include <boost/json/array.hpp>

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr std::size_t kMailboxPage = 1000;
constexpr std::string_view kAcceptedDomain = "accepted-domain";

std::string joined(const std::vector<schema::Problem>& problems) {
    std::string text;
    for (const auto& problem : problems) {
        text += (text.empty() ? "" : "\n") + problem.text();
    }
    return text;
}

HttpResponse answer_of(const ChangeOutcome& outcome) {
    switch (outcome.status) {
        case ChangeOutcome::Status::refused: return json_error(400, joined(outcome.problems));
        case ChangeOutcome::Status::not_found: return json_error(404, joined(outcome.problems));
        case ChangeOutcome::Status::failed:
            return json_error(
                503, "the configuration could not be stored: " + outcome.error.message());
        case ChangeOutcome::Status::done: break;
    }
    json::array warnings;
    for (const auto& warning : outcome.warnings) {
        warnings.emplace_back(warning);
    }
    json::object answer;
    answer["version"] = outcome.version;
    answer["warnings"] = std::move(warnings);
    answer["object"] = outcome.after.empty() ? outcome.before : outcome.after;
    return json_answer(answer);
}

std::string verb_of(HttpMethod method) {
    switch (method) {
        case HttpMethod::post: return "create";
        case HttpMethod::patch: return "set";
        default: return "remove";
    }
}

}  // namespace

Task<HttpResponse> ObjectsResource::handle(HttpRequest request) {
    const auto* type = request.path.size() > 2 ? schema::find_type(request.path[2]) : nullptr;
    if (type == nullptr || request.path.size() > 4) {
        co_return json_error(404, "there is no such type of object");
    }
    const bool named = request.path.size() == 4;
    if (request.method == HttpMethod::get) {
        HttpResponse answer;
        if (named) {
            answer = co_await show(request.path[2], request.path[3]);
        } else {
            answer = co_await list(request.path[2]);
        }
        co_return answer;
    }
    const bool fits = request.method == HttpMethod::post ? !named : named;
    if (!fits || request.method == HttpMethod::other) {
        co_return json_error(
            405, "POST creates at /v1/objects/TYPE; PATCH and DELETE name an object");
    }
    auto answer = co_await change(std::move(request));
    co_return answer;
}

Task<HttpResponse> ObjectsResource::list(std::string type) {
    json::array rows;
    if (const auto kind = kind_of(type)) {
        RecipientQuery query{.kind = kind};
        do {
            auto page = co_await service_.list_recipients(query);
            if (!page) {
                co_return json_error(
                    503, "recipients could not be read: " + page.error().message());
            }
            for (auto& recipient : page->rows) {
                rows.push_back(std::move(recipient));
            }
            query.after = page->next;
        } while (!query.after.empty());
        co_return json_answer(rows);
    }
    for (auto& object : service_.list(type)) {
        rows.push_back(std::move(object));
    }
    co_return json_answer(rows);
}

Task<HttpResponse> ObjectsResource::show(std::string type, std::string name) {
    std::optional<json::object> object;
    if (kind_of(type)) {
        auto found = co_await service_.show_recipient(name);
        if (!found) {
            co_return json_error(
                503, "the recipient could not be read: " + found.error().message());
        }
        object = std::move(*found);
        if (object && object->at("kind").as_string() != type) {
            const std::string kind(object->at("kind").as_string());
            co_return json_error(
                404,
                "\"" + name + "\" is a " + kind + ": smtpctl " + kind + " show \"" + name + "\"");
        }
    } else {
        object = service_.show(type, name);
    }
    if (!object) {
        co_return json_error(
            404, "there is no " + type + " \"" + name + "\"; smtpctl " + type + " list shows them");
    }
    if (type == kAcceptedDomain) {
        auto shown =
            co_await with_mx_status(service_.organization()->node(), find_mx_, std::move(*object));
        co_return json_answer(shown);
    }
    co_return json_answer(*object);
}

Task<HttpResponse> ObjectsResource::change(HttpRequest request) {
    ChangeRequest change;
    change.type = request.path[2];
    if (!parse_object(request.body, change.fields)) {
        co_return json_error(400, "the body must be a JSON object of fields");
    }
    if (request.method == HttpMethod::post) {
        const auto* name = change.fields.if_contains("name");
        if (name == nullptr || !name->is_string()) {
            co_return json_error(400, "\"name\" is missing");
        }
        change.name = std::string(name->get_string());
        change.fields.erase("name");
    } else {
        change.name = request.path[3];
    }
    const bool created_domain =
        change.type == kAcceptedDomain && request.method == HttpMethod::post;
    const bool what_if = request.parameter("what_if") == "true";
    change.what_if = what_if;
    change.author.who = request.caller.text() + " via admin socket";
    change.author.what = verb_of(request.method) + " " + change.type + " \"" + change.name + "\"";
    ChangeOutcome outcome;
    switch (request.method) {
        case HttpMethod::post: outcome = co_await service_.create(std::move(change)); break;
        case HttpMethod::patch: outcome = co_await service_.set(std::move(change)); break;
        default: outcome = co_await service_.remove(std::move(change)); break;
    }
    if (outcome.ok() && !what_if) {
        co_await wait_until_applied();
    }
    if (outcome.ok() && created_domain) {
        add_mx_records(service_.organization()->node(), outcome.after);
    }
    co_return answer_of(outcome);
}

// The new Organization was posted to the first lane before this call, and that lane posts it to the
// others; posts run in order. When each lane has answered in turn, the change is in force
// everywhere, and a client may use a new binding.
Task<void> ObjectsResource::wait_until_applied() {
    const auto nothing = []() -> Task<bool> {
        co_return true;
    };
    for (auto* lane : lanes_) {
        co_await call_on(console_, *lane, nothing);
    }
}

}  // namespace mailflow
