// Many simulated days, spread over processes of their own: a day is one thread, and what one leaves
// behind cannot reach the next.
#pragma once

#include "tests/simulation/sim_day.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mailflow::sim {

struct RunOptions {
    std::vector<std::uint64_t> seeds;
    Mutant mutant = Mutant::none;
    unsigned jobs = 1;
    bool stops_at_violation = false;
};

// Sums over all days that ended.
struct RunTotals {
    std::uint64_t days = 0;
    std::map<std::string, std::uint64_t> counts;
    std::vector<DayResult> failures;  // in order of seed
};

// A process that dies is a failure of the seed it was at.
[[nodiscard]] RunTotals run_days(const RunOptions& options);

// One line of text without line ends, and back.
[[nodiscard]] std::string to_line(const DayResult& result);
[[nodiscard]] DayResult from_line(const std::string& line);

}  // namespace mailflow::sim
