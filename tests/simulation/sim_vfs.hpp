// The SQLite face of the simulated disk: a VFS whose files are SimInodes, whose shared memory lies
// on the heap, and whose clock and randomness are the simulation's. Registered under a name of its
// own, and as SQLite's default, for as long as the object lives.
#pragma once

#include "tests/simulation/sim_disk.hpp"
#include "transport/base/clock.hpp"

#include <memory>
#include <string>

namespace mailflow::sim {

class SimVfs {
  public:
    // All three outlive this; connections are closed before it goes.
    SimVfs(std::string name, SimDisk& disk, const Clock& clock, Random& random);
    ~SimVfs();
    SimVfs(const SimVfs&) = delete;
    SimVfs& operator=(const SimVfs&) = delete;

    [[nodiscard]] const std::string& name() const noexcept;

    struct State;  // known to the VFS functions in sim_vfs.cpp only

  private:
    std::unique_ptr<State> state_;
};

}  // namespace mailflow::sim
