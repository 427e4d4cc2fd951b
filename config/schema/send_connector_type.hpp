// The object types `send-connector`, how mail leaves, `node`, the servers that send,
// and `destination-policy`, how hard they may press.
#pragma once

#include "config/schema/object_type.hpp"

namespace mailflow::schema {

[[nodiscard]] ObjectType send_connector_type();
[[nodiscard]] ObjectType node_type();
[[nodiscard]] ObjectType destination_policy_type();

}  // namespace mailflow::schema
