// Where log lines go: standard error, the journal (standard error with the priority prefixes
// systemd reads), or a file. Lines gather in memory and a thread of its own writes them: at once
// when one is a warning or worse or many have gathered, else at the next `flush`, so that a line
// costs its lane neither a system call nor a wake-up. Beyond a bound lines are dropped and counted,
// never a lane held up. One object for the daemon's life; any thread.
#pragma once

#include "config/bootstrap.hpp"
#include "transport/base/clock.hpp"
#include "transport/base/log.hpp"
#include "transport/base/result.hpp"
#include "transport/base/task_runner.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace mailflow {

class DaemonLog final : public LogSink {
  public:
    // Error: the file cannot be opened for appending. The clock outlives the log.
    static Result<std::unique_ptr<DaemonLog>> open(
        const Bootstrap::LogSettings& settings, const Clock& clock);
    ~DaemonLog() override;
    DaemonLog(const DaemonLog&) = delete;
    DaemonLog& operator=(const DaemonLog&) = delete;

    [[nodiscard]] bool on(LogLevel level) const noexcept override {
        return level >= settings_.level;
    }

    void write(
        LogLevel level,
        std::string_view event,
        std::initializer_list<LogField> fields) noexcept override;

    // Hands gathered lines to the writing thread when there are any.
    void flush() noexcept;
    // After logrotate: closes the file and opens it again by name.
    void reopen() noexcept;

  private:
    DaemonLog(const Bootstrap::LogSettings& settings, const Clock& clock, int descriptor);

    void append(std::string line, bool hurry);
    // On the writing thread.
    void write_gathered() noexcept;
    void open_again() noexcept;

    Bootstrap::LogSettings settings_;
    const Clock& clock_;
    std::mutex mutex_;
    std::string gathered_;
    std::uint64_t dropped_ = 0;
    bool ordered_ = false;  // the thread has been told to write
    int descriptor_;        // the writing thread's
    std::string writing_;   // likewise
    std::unique_ptr<ThreadRunner> thread_;
};

// One line without its line end, as `format` says. Pure.
[[nodiscard]] std::string log_line(
    LogFormat format,
    UtcTime time,
    LogLevel level,
    std::string_view event,
    std::initializer_list<LogField> fields);

}  // namespace mailflow
