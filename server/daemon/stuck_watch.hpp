// Finds mail that nothing will move: recipients that are due while the queue has had nothing in
// memory for kPatience. The queue looks for forgotten rows once a minute, so this is always 0
// unless something is broken. Fed by ResourceMonitor, on the queue lane. Pure.
#pragma once

#include "transport/base/clock.hpp"

#include <cstdint>
#include <optional>

namespace mailflow {

class StuckWatch {
  public:
    static constexpr auto kPatience = std::chrono::minutes(3);

    // `ready`: recipients due, in the store; `active`: recipients the queue has in memory.
    void update(std::uint64_t ready, std::uint64_t active, MonotonicTime now) noexcept {
        if (ready == 0 || active > 0) {
            since_.reset();
        } else if (!since_) {
            since_ = now;
        }
        stuck_ = since_ && now - *since_ >= kPatience ? ready : 0;
    }

    [[nodiscard]] std::uint64_t stuck() const noexcept { return stuck_; }

  private:
    std::optional<MonotonicTime> since_;
    std::uint64_t stuck_ = 0;
};

}  // namespace mailflow
