// Queues and queued messages as the admin API's JSON. Pure.
#pragma once

#include "transport/queue/queue_admin.hpp"

#include <boost/json/object.hpp>

namespace mailflow {

[[nodiscard]] boost::json::object to_json(const QueueInfo& queue);
[[nodiscard]] boost::json::object to_json(const MessageInfo& message);

}  // namespace mailflow
