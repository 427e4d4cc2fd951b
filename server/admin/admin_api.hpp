// The admin API: routes a request by its path to the resource that answers it. The one API that
// every face of the server uses; smtpctl is its first client. On the console lane.
#pragma once

#include "server/admin/config_resource.hpp"
#include "server/admin/explain_resource.hpp"
#include "server/admin/log_resource.hpp"
#include "server/admin/objects_resource.hpp"
#include "server/admin/queue_resource.hpp"
#include "server/admin/recipients_resource.hpp"
#include "server/admin/status_resource.hpp"
#include "server/admin/tls_resource.hpp"
#include "server/admin/tracking_resource.hpp"

#include <vector>

namespace mailflow {

class AdminApi final : public HttpHandler {
  public:
    // What these refer to outlives the API.
    struct Parts {
        Lane& console;
        std::vector<Lane*> lanes;  // of the flow; the first is the queue lane
        OrganizationService& organization;
        QueueAdmin& queue;
        TrackingSink& tracking;
        StatusSource& status;
        ProtocolLog& protocol_log;
        FindMx find_mx = {};  // empty: the DNS is asked nothing
        AskExplain explain = {};
        PeerMemory* peers = nullptr;  // null: there is no TLS to remember
    };

    explicit AdminApi(Parts parts);

    Task<HttpResponse> handle(HttpRequest request) override;

  private:
    Task<HttpResponse> show_status();
    Task<HttpResponse> show_metrics();

    StatusSource& status_;
    ObjectsResource objects_;
    ConfigResource config_;
    RecipientsResource recipients_;
    QueueResource queue_;
    TrackingResource tracking_;
    LogResource log_;
    ExplainResource explain_;
    TlsResource tls_;
};

}  // namespace mailflow
