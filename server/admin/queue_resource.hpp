// /v1/queues and /v1/messages: delivery queues by next hop, queued messages, and the verbs on them.
// Called on the console lane; crosses to the queue lane for every answer.
#pragma once

#include "server/http/http_message.hpp"
#include "transport/net/lane.hpp"
#include "transport/queue/queue_admin.hpp"

namespace mailflow {

class QueueResource {
  public:
    // All three outlive this. `queue_lane` is where `admin` lives.
    QueueResource(Lane& console, Lane& queue_lane, QueueAdmin& admin) noexcept
        : console_(console)
        , queue_lane_(queue_lane)
        , admin_(admin) {}

    // /v1/queues, /v1/queues/retry
    Task<HttpResponse> handle_queues(HttpRequest request);
    // /v1/messages, /v1/messages/ID, /v1/messages/ID/content
    Task<HttpResponse> handle_messages(HttpRequest request);

  private:
    Task<HttpResponse> list_queues();
    Task<HttpResponse> retry(HttpRequest request);
    Task<HttpResponse> list_messages(HttpRequest request);
    Task<HttpResponse> show_message(QueueId id);
    Task<HttpResponse> remove_message(QueueId id, HttpRequest request);
    Task<HttpResponse> export_message(QueueId id, HttpRequest request);

    Lane& console_;
    Lane& queue_lane_;
    QueueAdmin& admin_;
};

}  // namespace mailflow
