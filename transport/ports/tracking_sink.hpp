// Message tracking. `append` never waits and never fails a message: at most one second of events is
// lost at a crash.
#pragma once

#include "transport/base/result.hpp"
#include "transport/base/task.hpp"
#include "transport/ports/records/tracking_event.hpp"

#include <vector>

namespace mailflow {

class TrackingSink {
  public:
    virtual ~TrackingSink() = default;
    // Any lane.
    virtual void append(TrackingEvent event) noexcept = 0;
    // In order of time; with more matches than `limit` the latest ones. Sees what was appended
    // before.
    virtual Task<Result<std::vector<TrackingEvent>>> find(TrackingQuery query) = 0;
};

}  // namespace mailflow
