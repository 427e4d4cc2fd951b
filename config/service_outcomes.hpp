// The small values OrganizationService's methods answer with. Inside config only.
#pragma once

#include "config/change_request.hpp"

#include <string>
#include <vector>

namespace mailflow {

[[nodiscard]] ChangeOutcome refused_outcome(std::vector<schema::Problem> problems);
[[nodiscard]] ChangeOutcome refused_outcome(schema::Problem problem);
[[nodiscard]] ChangeOutcome not_found_outcome(std::string message);
// The store did not take the change; a conflict says what to do.
[[nodiscard]] ChangeOutcome failed_outcome(ErrorCode error);

// `name` first, where the type has names, then the fields; secrets only say that they are there.
[[nodiscard]] boost::json::object named_document(
    const schema::ObjectType& type, const std::string& name, const boost::json::object& document);

struct NewName {
    std::string name;  // empty: not renamed
    std::string problem;
};

// Takes `name` out of the fields of a `set`.
[[nodiscard]] NewName take_new_name(
    const schema::ObjectType& type, const std::string& current, boost::json::object& fields);

}  // namespace mailflow
