// What the fields of send connectors may be beside each other and beside the nodes (reference 1.2),
// and what is probably not meant. Part of validation; inside config only. Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"

#include <vector>

namespace mailflow {

void check_send_connectors(
    const Organization::Parts& parts, std::vector<schema::Problem>& problems);

// A destination policy is for something, and for connectors that exist.
void check_destination_policies(
    const Organization::Parts& parts, std::vector<schema::Problem>& problems);

// Nodes have one name each, and this one stands in the site of its bootstrap file.
void check_nodes(const Organization::Parts& parts, std::vector<schema::Problem>& problems);

}  // namespace mailflow
