// How long a property is tried: tests that draw their cases from seeds 1, 2, 3 … ask here how many.
// Usually the number they name; scripts/test --long sets MAILFLOW_PROPERTY_FACTOR to try many more.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace mailflow {

inline std::uint64_t property_seeds(std::uint64_t usual) {
    const auto* const factor = std::getenv("MAILFLOW_PROPERTY_FACTOR");
    const auto times = factor == nullptr ? 1 : std::strtoull(factor, nullptr, 10);
    return usual * (times == 0 ? 1 : times);
}

}  // namespace mailflow
