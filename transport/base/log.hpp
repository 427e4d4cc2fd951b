// Structured log lines: an event in words and fields as key=value (or JSON). Nothing is formatted
// when the level is off. A Log is a cheap handle on a sink that outlives it; both are safe in any
// thread, and neither throws.
#pragma once

#include "transport/base/id.hpp"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace mailflow {

enum class LogLevel { debug, info, warning, error };

// One `key=value`. Views live until the call returns; text values are escaped by the sink.
struct LogField {
    std::string_view key;
    std::string text;
    bool quoted = true;  // false: a number

    LogField(std::string_view name, std::string_view value)
        : key(name)
        , text(value) {}

    LogField(std::string_view name, const char* value)
        : key(name)
        , text(value) {}

    LogField(std::string_view name, const std::string& value)
        : key(name)
        , text(value) {}

    LogField(std::string_view name, QueueId id)
        : key(name)
        , text(id.text()) {}

    template <std::integral Number>
    LogField(std::string_view name, Number value)
        : key(name)
        , text(std::to_string(value))
        , quoted(false) {}
};

class LogSink {
  public:
    virtual ~LogSink() = default;
    [[nodiscard]] virtual bool on(LogLevel level) const noexcept = 0;
    virtual void write(
        LogLevel level,
        std::string_view event,
        std::initializer_list<LogField> fields) noexcept = 0;
};

class Log {
  public:
    // A log that drops everything.
    Log() noexcept = default;

    explicit Log(LogSink& sink) noexcept
        : sink_(&sink) {}

    [[nodiscard]] bool on(LogLevel level) const noexcept {
        return sink_ != nullptr && sink_->on(level);
    }

    void debug(std::string_view event, std::initializer_list<LogField> fields = {}) const noexcept {
        write(LogLevel::debug, event, fields);
    }

    void info(std::string_view event, std::initializer_list<LogField> fields = {}) const noexcept {
        write(LogLevel::info, event, fields);
    }

    void warning(
        std::string_view event, std::initializer_list<LogField> fields = {}) const noexcept {
        write(LogLevel::warning, event, fields);
    }

    void error(std::string_view event, std::initializer_list<LogField> fields = {}) const noexcept {
        write(LogLevel::error, event, fields);
    }

  private:
    void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields)
        const noexcept {
        if (on(level)) {
            sink_->write(level, event, fields);
        }
    }

    LogSink* sink_ = nullptr;
};

}  // namespace mailflow
