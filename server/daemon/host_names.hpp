// What the host says about itself. Read at start, on the main thread.
#pragma once

#include "transport/base/ip_address.hpp"

#include <string>
#include <vector>

namespace mailflow {

// The host's fully qualified name, or the short one when the system knows no better.
[[nodiscard]] std::string host_fqdn();

// Name of the user this process runs as; empty when it has none.
[[nodiscard]] std::string effective_user_name();

// Addresses of all interfaces, loopback included.
[[nodiscard]] std::vector<IpAddress> interface_addresses();

}  // namespace mailflow
