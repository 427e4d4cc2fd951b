// What a change of objects says about recipients that are not there: a catch-all nobody is, a
// journal address nobody of ours has, rewritten senders whom no answer reaches. Asks the recipient
// store; console lane. Inside config only.
#pragma once

#include "transport/base/task.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/recipient_store.hpp"

#include <string>
#include <vector>

namespace mailflow {

// Of what `next` says and `before` (null at the start) did not. All outlive the call.
[[nodiscard]] Task<std::vector<std::string>> find_missing_recipients(
    RecipientStore& recipients, const Organization* before, const Organization& next);

}  // namespace mailflow
