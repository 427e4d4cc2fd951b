// A server of the organization: what source servers of send connectors are, and the site it stands
// in. Plain data.
#pragma once

#include <string>

namespace mailflow {

struct Node {
    std::string name;
    std::string fqdn;
    std::string site = "default";
};

}  // namespace mailflow
