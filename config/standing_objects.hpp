// Objects that are always there: the address policy for everybody without another one, the remote
// domain for every domain without another one (reference 4.3, 5.5), and this node. Made at the
// first start, and in a store that an older program made; they cannot go or change what they stand
// for. Inside config only. Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/object_store.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

inline constexpr std::string_view kDefaultRemoteDomain = "Default";

// What of them `objects`, which are `parts`, lack. The default policy gets a template in the
// default domain, or in another authoritative one: without any there can be none. `applied`: every
// recipient has its address already.
[[nodiscard]] std::vector<ObjectChange> missing_standing_objects(
    const ObjectSet& objects, const Organization::Parts& parts, bool applied);

// This node as its bootstrap file has it now, when the stored one stands in another site.
[[nodiscard]] std::vector<ObjectChange> moved_node(
    const ObjectSet& objects, const Organization::Parts& parts);

// What the administrator hears of one of them that is made.
[[nodiscard]] std::string said_of_standing(const ObjectChange& made);

[[nodiscard]] bool is_standing(std::string_view type, std::string_view name);
// What an edit of such an object may not do; `edit` has its keys as in schema::apply_edit, and
// `new_name` is empty when it keeps its own.
[[nodiscard]] std::vector<schema::Problem> check_standing_edit(
    std::string_view type,
    const std::string& name,
    const boost::json::object& edit,
    const std::string& new_name);
// Why it cannot be removed.
[[nodiscard]] std::string why_standing(std::string_view type);

}  // namespace mailflow
