// Drives recipient resolution against the Directory: asks for each candidate address in turn. Runs
// on the directory's lane.
#pragma once

#include "transport/ports/directory.hpp"
#include "transport/route/recipient_resolver.hpp"

namespace mailflow {

// Error::unavailable when the directory cannot answer now.
Task<Result<ResolvedRecipient>> look_up_recipient(
    Directory& directory, OrganizationPtr organization, ForwardPath path);

}  // namespace mailflow
