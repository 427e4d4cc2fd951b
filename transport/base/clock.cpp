#include "transport/base/clock.hpp"

namespace mailflow {

UtcTime SystemClock::now() const noexcept {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

MonotonicTime SystemClock::monotonic() const noexcept {
    return std::chrono::steady_clock::now();
}

}  // namespace mailflow
