// What address rewrite entries may be: internal, external, exceptions and outbound_only beside each
// other, beside the other entries and beside the accepted domains (reference 4.8). Part of
// validation; inside config only. Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"

#include <string>
#include <vector>

namespace mailflow {

void check_address_rewrites(
    const Organization::Parts& parts, std::vector<schema::Problem>& problems);

// Which entries stop the accepted domains from becoming those of `next`, said of the domain that
// changes, `title`.
[[nodiscard]] std::vector<schema::Problem> find_rewrites_in_the_way(
    const Organization::Parts& before, const Organization::Parts& next, const std::string& title);

}  // namespace mailflow
