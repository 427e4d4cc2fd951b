#include "tests/simulation/sim_trace.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace mailflow::sim {

Trace::Trace(const Clock& clock, bool print) noexcept
    : clock_(clock)
    , start_(clock.monotonic())
    , print_(print) {}

// FNV-1a.
void Trace::mix(std::string_view bytes) noexcept {
    for (const char c : bytes) {
        hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
}

void Trace::note(std::string_view line) {
    const auto passed =
        std::chrono::floor<std::chrono::milliseconds>(clock_.monotonic() - start_).count();
    const auto stamp = fmt::format(
        "{:02}:{:02}:{:02}.{:03} ",
        passed / 3600000,
        passed / 60000 % 60,
        passed / 1000 % 60,
        passed % 1000);
    mix(stamp);
    mix(line);
    if (print_) {
        std::fputs(stamp.c_str(), stdout);
        std::fwrite(line.data(), 1, line.size(), stdout);
        std::fputc('\n', stdout);
    }
}

void SimLog::write(
    LogLevel level, std::string_view event, std::initializer_list<LogField> fields) noexcept {
    watch_(level, event, fields);
    std::string line("  | ");
    line += event;
    for (const auto& field : fields) {
        line.append(" ").append(field.key).append("=").append(field.text);
    }
    trace_.note(line);
}

}  // namespace mailflow::sim
