// What address policies may be: their templates, filters and priorities, beside each other and
// beside the accepted domains (reference 4.1, 4.3). Inside config only. Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/object_store.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace mailflow {

inline constexpr std::string_view kPolicyType = "address-policy";

// Brings `templates` of a canonical document into order: the primary first, which is the one with
// `SMTP:`, else the first. `edit` (of a `set`, else empty) that takes the primary away without
// giving another, and filters that exclude each other, are problems.
void complete_policy(
    boost::json::object& document,
    const boost::json::object& edit,
    std::vector<schema::Problem>& problems);

// Gives the policy its place among the others, whose numbers are 1, 2, 3 …: a number that is taken
// moves the older ones down, none means behind all. Appends what changes of the others.
void place_policy(
    const ObjectSet& objects,
    std::string_view name,
    boost::json::object& document,
    std::vector<ObjectChange>& changes,
    std::vector<schema::Problem>& problems);
// The others close up when it goes.
void close_policy_gap(
    const ObjectSet& objects, std::string_view name, std::vector<ObjectChange>& changes);

// Templates are in accepted domains: authoritative ones, the secondary ones in internal-relay ones
// too.
void check_address_policies(
    const Organization::Parts& parts, std::vector<schema::Problem>& problems);

// Which policies stop the accepted domains from becoming those of `next`, said of the domain
// (reference 3.4). `title` is the accepted domain's that changes.
[[nodiscard]] std::vector<schema::Problem> find_policies_in_the_way(
    const Organization::Parts& before, const Organization::Parts& next, const std::string& title);

}  // namespace mailflow
