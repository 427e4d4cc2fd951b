// The fields of `receive-connector` (product page 2, reference 2.2–2.8): who may talk to us, and
// how. Used by object_types only.
#pragma once

#include "config/schema/object_type.hpp"

namespace mailflow::schema {

[[nodiscard]] ObjectType receive_connector_type();

}  // namespace mailflow::schema
