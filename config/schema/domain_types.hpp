// The object types `accepted-domain` and `remote-domain`: which domains are ours, and what may
// leave to the others. For the table of object types alone.
#pragma once

#include "config/schema/object_type.hpp"

namespace mailflow::schema {

[[nodiscard]] ObjectType accepted_domain_type();
[[nodiscard]] ObjectType remote_domain_type();

}  // namespace mailflow::schema
