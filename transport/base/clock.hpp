// What time it is, as a seam: the flow never reads the system's clock itself. Wall time is for
// people and the store (milliseconds UTC); monotonic time is for deadlines. Implementations are
// safe in any thread.
#pragma once

#include <chrono>

namespace mailflow {

using Duration = std::chrono::milliseconds;
using UtcTime = std::chrono::sys_time<std::chrono::milliseconds>;
using MonotonicTime = std::chrono::steady_clock::time_point;

class Clock {
  public:
    virtual ~Clock() = default;

    [[nodiscard]] virtual UtcTime now() const noexcept = 0;
    [[nodiscard]] virtual MonotonicTime monotonic() const noexcept = 0;
};

class SystemClock final : public Clock {
  public:
    [[nodiscard]] UtcTime now() const noexcept override;
    [[nodiscard]] MonotonicTime monotonic() const noexcept override;
};

}  // namespace mailflow
