// Who is at the other end of a Unix socket, and whether that one may administer: root, the daemon's
// own user, or a member of the group `mailflow-admin`. Any thread.
#pragma once

#include "server/http/http_message.hpp"

#include <optional>
#include <string>

namespace mailflow {

[[nodiscard]] std::optional<HttpCaller> peer_credentials(int socket);
[[nodiscard]] bool may_administer(const HttpCaller& caller);
// Mode 0660 and the group, when the group exists; the file stays as it is otherwise.
void open_to_admin_group(const std::string& path);

}  // namespace mailflow
