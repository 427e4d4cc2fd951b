// A program started, waited for and stopped. It dies with the lab, however the lab ends. Started
// and used on the main thread.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace mailflow::lab {

class ChildProcess {
  public:
    struct Settings {
        std::vector<std::string> command;                // the program by path, or by name in PATH
        std::map<std::string, std::string> environment;  // beside our own
        std::string output;                              // file for stdout and stderr; empty: ours
    };

    // Throws std::system_error. A program that cannot be executed ends with 127.
    explicit ChildProcess(const Settings& settings);
    // Kills what still runs.
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    // The exit status once it has ended, as a shell says it: 128 + signal when killed.
    [[nodiscard]] std::optional<int> status();
    void signal(int number) const noexcept;
    // SIGTERM, and SIGKILL when that does not end it in time. The exit status.
    int stop(std::chrono::milliseconds patience);
    // Nothing when it still runs by then.
    std::optional<int> wait(std::chrono::milliseconds patience);

  private:
    pid_t pid_ = -1;
    std::optional<int> status_;
};

}  // namespace mailflow::lab
