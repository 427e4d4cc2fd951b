// The object types `send-connector`, how mail leaves, and `node`, the servers that send.
#pragma once

#include "config/schema/object_type.hpp"

namespace mailflow::schema {

[[nodiscard]] ObjectType send_connector_type();
[[nodiscard]] ObjectType node_type();

}  // namespace mailflow::schema
