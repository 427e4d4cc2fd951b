// Where log lines go: standard error, the journal (standard error with the priority prefixes
// systemd reads), or a file. Lines are formatted by the caller and written by spdlog's own thread;
// when that falls behind, the oldest lines are dropped and counted, never a lane held up. One
// object for the daemon's life; any thread.
#pragma once

#include "config/bootstrap.hpp"
#include "transport/base/clock.hpp"
#include "transport/base/log.hpp"
#include "transport/base/result.hpp"

#include <atomic>
#include <memory>

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

    // Hands buffered lines to the file when there are any.
    void flush() noexcept;
    // After logrotate: closes the file and opens it again by name.
    void reopen() noexcept;

  private:
    struct Output;
    DaemonLog(const Bootstrap::LogSettings& settings, const Clock& clock);

    Bootstrap::LogSettings settings_;
    const Clock& clock_;
    std::unique_ptr<Output> output_;
    std::atomic<bool> dirty_ = false;
};

// One line without its line end, as `format` says. Pure.
[[nodiscard]] std::string log_line(
    LogFormat format,
    UtcTime time,
    LogLevel level,
    std::string_view event,
    std::initializer_list<LogField> fields);

}  // namespace mailflow
