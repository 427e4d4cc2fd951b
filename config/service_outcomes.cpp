#include "config/service_outcomes.hpp"

#include "config/object_secrets.hpp"
#include "transport/base/error.hpp"

namespace mailflow {

namespace json = boost::json;

ChangeOutcome refused_outcome(std::vector<schema::Problem> problems) {
    ChangeOutcome outcome;
    outcome.status = ChangeOutcome::Status::refused;
    outcome.problems = std::move(problems);
    return outcome;
}

ChangeOutcome refused_outcome(schema::Problem problem) {
    return refused_outcome(std::vector<schema::Problem>{std::move(problem)});
}

ChangeOutcome not_found_outcome(std::string message) {
    ChangeOutcome outcome;
    outcome.status = ChangeOutcome::Status::not_found;
    outcome.problems.push_back({{}, {}, std::move(message)});
    return outcome;
}

ChangeOutcome failed_outcome(ErrorCode error) {
    ChangeOutcome outcome;
    outcome.status = ChangeOutcome::Status::failed;
    outcome.error = error;
    const bool conflict = error == Error::conflict;
    outcome.problems.push_back(
        {{},
         {},
         conflict ? "somebody else changed the configuration at the same time: look and try again"
                  : "the change could not be stored: " + error.message()});
    return outcome;
}

json::object named_document(
    const schema::ObjectType& type, const std::string& name, const json::object& document) {
    auto shown = without_secrets(type, document);
    if (type.single) {
        return shown;
    }
    json::object named = {{"name", name}};
    for (const auto& member : shown)
        named[member.key()] = member.value();
    return named;
}

NewName take_new_name(
    const schema::ObjectType& type, const std::string& current, json::object& fields) {
    const auto* value = fields.if_contains("name");
    if (value == nullptr || type.single) {
        return {};
    }
    if (!value->is_string()) {
        return {{}, "is not a text"};
    }
    NewName renamed{std::string(value->get_string()), {}};
    renamed.problem = schema::check_name(renamed.name);
    if (renamed.name == current) {
        renamed.name.clear();
    }
    fields.erase("name");
    return renamed;
}

}  // namespace mailflow
