// The object types `transport-config` and `system-message`: what holds for the whole organization,
// and its own words in reports. For the table of object types alone.
#pragma once

#include "config/schema/object_type.hpp"

namespace mailflow::schema {

[[nodiscard]] ObjectType transport_config_type();
[[nodiscard]] ObjectType system_message_type();

}  // namespace mailflow::schema
