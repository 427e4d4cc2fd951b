// Events between the lanes that append them and the keeper that writes them: bounded, so that a
// disk that hangs costs history and never memory or mail. Any thread; the lock is held for a push
// or a swap.
#pragma once

#include "transport/ports/records/tracking_event.hpp"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace mailflow {

class TrackingQueue {
  public:
    // What the one who pushed does next.
    enum class Next : std::uint8_t {
        nothing,
        write_soon,  // the first one: in a second at the latest
        write_now,   // a full batch
    };

    struct Batch {
        std::vector<TrackingEvent> events;
        std::uint64_t dropped = 0;  // since the last one
    };

    TrackingQueue(std::size_t batch_size, std::size_t capacity) noexcept
        : batch_size_(batch_size)
        , capacity_(capacity) {}

    Next push(TrackingEvent event);
    [[nodiscard]] Batch take() noexcept;

  private:
    std::size_t batch_size_;
    std::size_t capacity_;
    std::mutex mutex_;
    Batch batch_;
};

}  // namespace mailflow
