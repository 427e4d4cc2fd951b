// One seed: a day of mail through the real flow in a virtual world, with faults, crashes and a
// change of the configuration, then time until the queue is empty, then the accounts. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mailflow::sim {

// Bugs planted in the product (test builds only), to see that the simulation finds them.
enum class Mutant : std::uint8_t { none, sync_left_out, reply_before_commit, lost_announce };

struct DayOptions {
    std::uint64_t seed = 1;
    Mutant mutant = Mutant::none;
    bool print_trace = false;
};

struct DayResult {
    std::uint64_t seed = 0;
    std::uint64_t hash = 0;  // of the trace: equal for equal seeds
    std::vector<std::string> violations;
    // What happened, by name: `messages`, `crashes`, `expiry`…
    std::map<std::string, std::uint64_t> counts;
};

[[nodiscard]] DayResult run_day(const DayOptions& options);

// Names in `counts` that every 200 seeds must have 20 of, so that the days are worth their time.
[[nodiscard]] const std::vector<std::string>& required_counts();

}  // namespace mailflow::sim
