// Looks into queue.db and the spool of a server that has opened its stores and runs nothing yet:
// does all fit together, and which messages are there?
#pragma once

#include "tests/simulation/sim_disk.hpp"

#include <set>
#include <string>
#include <vector>

namespace mailflow::sim {

struct StoreCheck {
    std::vector<std::string> problems;
    std::set<std::size_t> attempts;  // messages whose Message-ID names them
    std::uint64_t messages = 0;
};

// `thorough`: SQLite's own check of every page as well.
[[nodiscard]] StoreCheck check_store(
    SimDisk& disk, const std::string& vfs, const std::string& state_dir, bool thorough);

}  // namespace mailflow::sim
