// What the fields of receive connectors may be beside each other and beside other objects, and what
// is probably not meant. Part of validation; inside config only. Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"

#include <string>
#include <vector>

namespace mailflow {

void check_receive_connectors(
    const Organization::Parts& parts, std::vector<schema::Problem>& problems);

void warn_of_receive_connectors(
    const Organization::Parts& parts, std::vector<std::string>& warnings);

}  // namespace mailflow
