// The file a sender writes acknowledged ids to, one a line: what a crash test holds the server to.
// Each line is handed to the kernel in one write before the sender goes on. Any thread.
#pragma once

#include "tests/lab/socket.hpp"

#include <mutex>
#include <string>
#include <vector>

namespace mailflow::lab {

class AckedFile {
  public:
    // Appends to it; empty: nothing is written. Throws std::system_error.
    explicit AckedFile(const std::string& path);
    void add(const std::string& id);

    // In the order written. Throws std::runtime_error when it cannot be read.
    [[nodiscard]] static std::vector<std::string> read(const std::string& path);

  private:
    std::mutex mutex_;
    Handle file_;
};

}  // namespace mailflow::lab
