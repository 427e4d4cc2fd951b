// A LogSink that keeps its lines as text. Any thread that holds it alone.
#pragma once

#include "transport/base/log.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

class MemoryLog final : public LogSink {
  public:
    [[nodiscard]] bool on(LogLevel) const noexcept override { return true; }

    void write(LogLevel, std::string_view event, std::initializer_list<LogField> fields) noexcept
        override {
        std::string line(event);
        for (const auto& field : fields) {
            line.append(" ").append(field.key).append("=").append(field.text);
        }
        lines_.push_back(std::move(line));
    }

    [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }

    [[nodiscard]] std::size_t count(std::string_view part) const {
        return static_cast<std::size_t>(
            std::count_if(lines_.begin(), lines_.end(), [part](const auto& line) {
                return line.find(part) != std::string::npos;
            }));
    }

  private:
    std::vector<std::string> lines_;
};

}  // namespace mailflow
