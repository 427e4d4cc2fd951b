// Whether the objects of an organization fit together: cross checks over the whole set, each
// problem naming the objects, the field and what to do. Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"

#include <string>
#include <vector>

namespace mailflow {

// What must not be.
[[nodiscard]] std::vector<schema::Problem> find_problems(const Organization::Parts& parts);

// What may be, but is probably not meant: "no receive connector takes mail from outside".
[[nodiscard]] std::vector<std::string> find_warnings(const Organization::Parts& parts);

}  // namespace mailflow
