// Asks the Directory what the pure steps of transport/route want to know. Runs on the directory's
// lane.
#pragma once

#include "transport/ports/directory.hpp"
#include "transport/route/recipient_resolver.hpp"

namespace mailflow {

// Puts the answer to `facts.wanted()` into `facts`. Error::unavailable when the directory cannot
// answer now.
Task<ErrorCode> answer_wanted(Directory& directory, DirectoryFacts& facts);

// Whom a path stands for, without the rewriting of mail in transit. Error::unavailable as above.
Task<Result<ResolvedRecipient>> look_up_recipient(
    Directory& directory, OrganizationPtr organization, ForwardPath path);

}  // namespace mailflow
