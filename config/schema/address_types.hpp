// The object types `address-policy` and `address-rewrite`: which addresses recipients get, and
// which are changed in transit. For the table of object types alone.
#pragma once

#include "config/schema/object_type.hpp"

namespace mailflow::schema {

[[nodiscard]] ObjectType address_policy_type();
[[nodiscard]] ObjectType address_rewrite_type();

}  // namespace mailflow::schema
