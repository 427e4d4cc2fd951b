// The object types `mailbox`, `contact` and `group`: recipients, which are kept in the recipient
// store. For the table of object types alone.
#pragma once

#include "config/schema/object_type.hpp"

namespace mailflow::schema {

[[nodiscard]] ObjectType mailbox_type();
[[nodiscard]] ObjectType contact_type();
[[nodiscard]] ObjectType group_type();

}  // namespace mailflow::schema
