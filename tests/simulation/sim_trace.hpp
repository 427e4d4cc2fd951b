// What happened in a simulated day, in order: the hash of it tells whether a seed repeated exactly,
// the lines let a person read along. Also the log of the simulated server, whose lines are part of
// it. One thread.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/log.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mailflow::sim {

class Trace {
  public:
    // `print`: lines go to standard output as well.
    Trace(const Clock& clock, bool print) noexcept;

    void note(std::string_view line);

    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }

  private:
    void mix(std::string_view bytes) noexcept;

    const Clock& clock_;
    MonotonicTime start_;
    std::uint64_t hash_ = 0xcbf29ce484222325U;
    bool print_;
};

class SimLog final : public LogSink {
  public:
    // Sees each line before it is traced.
    using Watch = std::function<void(
        LogLevel level, std::string_view event, std::initializer_list<LogField> fields)>;

    SimLog(Trace& trace, Watch watch)
        : trace_(trace)
        , watch_(std::move(watch)) {}

    [[nodiscard]] bool on(LogLevel level) const noexcept override {
        return level >= LogLevel::info;
    }

    void write(
        LogLevel level,
        std::string_view event,
        std::initializer_list<LogField> fields) noexcept override;

  private:
    Trace& trace_;
    Watch watch_;
};

}  // namespace mailflow::sim
