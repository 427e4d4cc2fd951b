// A text of the organization's own in reports with a status code (reference 10.3): it replaces what
// the person reads first. Plain data.
#pragma once

#include "transport/mail/enhanced_status.hpp"

#include <string>

namespace mailflow {

struct SystemMessage {
    std::string name;
    EnhancedStatus code;    // 4.x.y or 5.x.y
    bool internal = false;  // for senders in our accepted domains; false: for all others
    std::string text;       // plain UTF-8, ≤ 512 characters
};

}  // namespace mailflow
