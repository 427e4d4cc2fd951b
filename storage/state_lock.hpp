// One daemon a state directory: a lock on `<state_dir>/lock` that the kernel gives back when the
// process ends, however it ends. Taken first at start, on the main thread; held by the daemon until
// it exits. The file holds the owner's process id for people.
#pragma once

#include "storage/sqlite.hpp"

#include <memory>
#include <string>

namespace mailflow {

class StateLock {
  public:
    // Error::locked names the process that holds it.
    [[nodiscard]] static OpenResult<std::unique_ptr<StateLock>> take(const std::string& state_dir);

    ~StateLock();
    StateLock(const StateLock&) = delete;
    StateLock& operator=(const StateLock&) = delete;

  private:
    explicit StateLock(int descriptor) noexcept
        : descriptor_(descriptor) {}

    int descriptor_;
};

}  // namespace mailflow
