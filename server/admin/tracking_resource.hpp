// /v1/tracking: message tracking events by queue id, message id, sender, recipient, time and event.
// On the console lane.
#pragma once

#include "server/http/http_message.hpp"
#include "transport/ports/tracking_sink.hpp"

namespace mailflow {

class TrackingResource {
  public:
    // `tracking` outlives this.
    explicit TrackingResource(TrackingSink& tracking)
        : tracking_(tracking) {}

    Task<HttpResponse> handle(HttpRequest request);

  private:
    TrackingSink& tracking_;
};

}  // namespace mailflow
