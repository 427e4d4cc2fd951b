// What `smtpctl status` and `smtpctl metrics` show of this node, gathered from the flow. Lives on
// the console lane, owned by the daemon; the flow outlives it.
#pragma once

#include "server/admin/status_resource.hpp"
#include "server/daemon/mail_flow.hpp"

#include <string>

namespace mailflow {

class NodeStatus final : public StatusSource {
  public:
    struct Parts {
        Lane& console;
        MailFlow& flow;
        TaskRunner& worker;
        const Clock& clock;
        std::string node;
        std::string durability;
        // `[dns] trust_ad` was written down and is not "none": DANE is counted on.
        bool counts_on_dane = false;
    };

    explicit NodeStatus(Parts parts);

    Task<ServerStatus> status() override;
    Task<std::string> metrics() override;

  private:
    // What the queue lane knows.
    struct Gathered {
        std::vector<ListenerState> listeners;
        QueueDatabaseStats store;
        QueueFigures queue;
        DnssecTrust dnssec = DnssecTrust::untrusted;
        std::string dnssec_detail;
    };

    Task<Gathered> gather();
    static Task<Gathered> gather_there(MailFlow* flow);
    Task<void> add_listeners(ServerStatus& status, const std::vector<ListenerState>& listeners);
    Task<std::string> why_closed(ListenerState listener);
    void add_dnssec(ServerStatus& status, const Gathered& gathered) const;
    static void add_pressure(ServerStatus& status, const QueueFigures& queue);

    Parts parts_;
    MonotonicTime started_;
};

}  // namespace mailflow
