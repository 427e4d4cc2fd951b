// What the admin API adds to an accepted domain: the MX records to publish, and what the DNS says
// of them. Used by ObjectsResource, on the console lane.
#pragma once

#include "config/mx_answers.hpp"

#include <boost/json/object.hpp>

namespace mailflow {

// `mx_records`: what to publish. `shown` has the field `domain`.
void add_mx_records(const NodeSettings& node, boost::json::object& shown);

// And `mx_status` (published, missing, elsewhere, unknown) and `mx_found`. Waits for the DNS as
// long as `find_mx` does; an empty one: unknown.
[[nodiscard]] Task<boost::json::object> with_mx_status(
    NodeSettings node, FindMx find_mx, boost::json::object shown);

}  // namespace mailflow
