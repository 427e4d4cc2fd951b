// One DNS query in, one answer out, from a Zone: written apart from the product's codec, so that
// neither hides the other's mistakes. Pure.
#pragma once

#include "tests/lab/zone.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mailflow::lab {

enum class Transport { udp, tcp };

// Nothing: no answer is sent (a DROP in the zone, or something that is no query).
[[nodiscard]] std::optional<std::string> answer_query(
    const Zone& zone, std::string_view query, Transport transport);

}  // namespace mailflow::lab
