#include "storage/tracking_queue.hpp"

#include <utility>

namespace mailflow {

TrackingQueue::Next TrackingQueue::push(TrackingEvent event) {
    const std::lock_guard lock(mutex_);
    if (batch_.events.size() >= capacity_) {
        ++batch_.dropped;
        return Next::nothing;
    }
    batch_.events.push_back(std::move(event));
    const auto size = batch_.events.size();
    if (size == 1) {
        return Next::write_soon;
    }
    return size % batch_size_ == 0 ? Next::write_now : Next::nothing;
}

TrackingQueue::Batch TrackingQueue::take() noexcept {
    const std::lock_guard lock(mutex_);
    return std::exchange(batch_, {});
}

}  // namespace mailflow
