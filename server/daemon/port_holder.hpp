// Why a binding cannot be opened, in words an administrator can use: who holds the port, found in
// /proc. Blocks for some milliseconds; for a worker, only after an attempt has failed.
#pragma once

#include "transport/base/error.hpp"
#include "transport/base/ip_address.hpp"

#include <string>

namespace mailflow {

enum class HolderSearch : std::uint8_t {
    anyone,
    other_processes,  // sockets of this process do not count
};

// Who listens where `endpoint` would, as `master (pid 812)`, or `a process of uid 89` where its
// descriptors may not be read; empty when nobody is found.
[[nodiscard]] std::string find_port_holder(const Endpoint& endpoint, HolderSearch search);

// `Address already in use; master (pid 812) holds it`: the error and what helps. `holder` may be
// empty.
[[nodiscard]] std::string binding_failure_words(const ErrorCode& error, const std::string& holder);

}  // namespace mailflow
