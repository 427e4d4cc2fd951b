// The whole mail flow, put together: stores, organization, resolvers, agents, queue and receive
// side, over the seams it is given. The daemon builds it over the system, flow tests over loopback,
// the simulation over a virtual world: there is one composition, so what is simulated is what runs.
// Built and destroyed on the main thread while no lane runs anything of it; `start` and `stop` are
// coroutines of the console lane.
#pragma once

#include "certs/certificate_service.hpp"
#include "certs/secrets.hpp"
#include "config/organization_service.hpp"
#include "server/admin/status_resource.hpp"
#include "server/daemon/binding_probe.hpp"
#include "server/daemon/mx_lookup.hpp"
#include "server/daemon/observation.hpp"
#include "server/explain/explain.hpp"
#include "server/receive/authenticator.hpp"
#include "server/receive/listener.hpp"
#include "storage/organization_database.hpp"
#include "storage/peer_database.hpp"
#include "storage/queue_database.hpp"
#include "storage/tracking_log.hpp"
#include "transport/deliver/local_delivery_agent.hpp"
#include "transport/deliver/smtp_delivery_agent.hpp"
#include "transport/queue/queue_admin.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailflow {

// The seams. All outlive the flow.
struct MailFlowWorld {
    const Clock& clock;
    Network& network;
    Files& files;
    std::string vfs;           // SQLite VFS; empty: the system's
    std::vector<Lane*> lanes;  // never empty; the first is the queue lane
    Lane& console;             // may be one of the lanes
    TaskRunner& store_writer;
    TaskRunner& store_keeper;
    TaskRunner& store_reader;
    TaskRunner& worker;

    // A resolver for a lane; its `stop` is called when the flow stops.
    struct LaneResolver {
        std::unique_ptr<Resolver> resolver;
        std::function<void()> stop;
    };

    std::function<Result<LaneResolver>(Lane&)> make_resolver;
    Log log;
    FindPortHolder find_port_holder = {};  // empty: nobody is looked for
    ResourceReader* resources = nullptr;   // null: nothing is metered, no back pressure
};

struct MailFlowSettings {
    std::string state_dir;
    // Seals private keys; made at the first start. Empty: there are no certificates, so no TLS (the
    // simulation, which could not replay what OpenSSL draws).
    std::string key_file;
    NodeSettings node;
    FirstStart first;
    std::vector<IpRange> allow_destinations;
    std::vector<IpAddress> own_addresses;
    QueueLimits queue_limits{};
    StoreMutants store_mutants;  // obeyed only where MAILFLOW_MUTANTS is defined
    bool lost_announce = false;  // likewise
};

class MailFlow {
  public:
    // Called once, on the queue lane, when the store takes nothing more.
    using OnFailed = std::function<void(const std::string& reason)>;

    // Blocks: opens the databases. The failure says which file and why.
    [[nodiscard]] static OpenResult<std::unique_ptr<MailFlow>> open(
        MailFlowSettings settings, MailFlowWorld world, OnFailed on_failed);

    // After `stop` has returned and the lanes have no task left.
    ~MailFlow();
    MailFlow(const MailFlow&) = delete;
    MailFlow& operator=(const MailFlow&) = delete;

    // Loads the organization (making the first objects of an empty store), opens the bindings, lets
    // mail in and out. The problems of a stored organization that does not fit together are
    // returned in words; nothing runs then.
    Task<Result<std::vector<std::string>>> start();
    // Accepts no more, lets sessions and attempts end for at most `limit`, writes what is to be
    // written, closes the stores.
    Task<void> stop(Duration limit);

    [[nodiscard]] OrganizationService& organization() noexcept { return *service_; }

    [[nodiscard]] QueueAdmin& queue() noexcept { return *queue_admin_; }

    [[nodiscard]] TrackingSink& tracking() noexcept { return *tracking_; }

    // The first is the queue lane.
    [[nodiscard]] const std::vector<Lane*>& lanes() const noexcept { return world_.lanes; }

    [[nodiscard]] Lane& queue_lane() noexcept { return *world_.lanes.front(); }

    // On the queue lane.
    [[nodiscard]] std::vector<ListenerState> listeners() const { return receive_->listeners(); }

    // What the queue lane's resolver is worth for DANE.
    [[nodiscard]] const Resolver& resolver() const;

    [[nodiscard]] QueueStatistics queue_statistics() const noexcept {
        return manager_->statistics();
    }

    [[nodiscard]] QueueDatabaseStats store_statistics() const { return queue_database_->stats(); }

    Task<Result<QueueTotals>> queue_totals() { return queue_admin_->totals(); }

    [[nodiscard]] Observation& observation() noexcept { return *observation_; }

    // On the console lane; answers within MxLookup::kLimit.
    Task<DnsAnswer<MxRecord>> find_mx(DomainName domain) {
        return mx_lookup_->find(std::move(domain));
    }

    // On the console lane.
    Task<Result<Explanation>> explain(ExplainRequest request, std::string* why);

    // Null without certificates. Any thread.
    [[nodiscard]] PeerMemory* peers() noexcept { return peers_.get(); }

    // On the console lane; null without certificates.
    [[nodiscard]] const CertificateService* certificates() const noexcept {
        return certificates_.get();
    }

    // A few times a second, on the console lane: what is to be done in time, without a task.
    void tend();

    [[nodiscard]] std::string organization_failure() const {
        return organization_database_->failure();
    }

  private:
    // What one lane has of its own.
    struct LaneParts;

    MailFlow(MailFlowSettings settings, MailFlowWorld world);

    void build_lanes();
    Result<> build_resolvers();
    void publish(OrganizationPtr organization);
    // On the console lane: contexts for both sides, before the organization they are for.
    void renew_tls_contexts(const Organization& organization);
    // On the queue lane.
    void spread_tls_contexts(const TlsContextsPtr& contexts);
    void build_delivery_lane(LaneParts& parts);
    Task<std::string> open_certificates();
    [[nodiscard]] bool has_certificate(const std::string& name) const;
    void build_receive_lane(LaneParts& parts, std::size_t number);
    void tell_listeners();
    [[nodiscard]] std::vector<Endpoint> open_listeners() const;
    Task<bool> start_flow();
    Task<bool> stop_receiving(MonotonicTime until);
    Task<bool> stop_queue(Duration limit);
    Task<void> close_stores();
    Task<bool> close_queue_stores();

    MailFlowSettings settings_;
    MailFlowWorld world_;
    std::unique_ptr<QueueDatabase> queue_database_;
    std::unique_ptr<OrganizationDatabase> organization_database_;
    std::unique_ptr<SqliteTrackingLog> tracking_;
    std::unique_ptr<Observation> observation_;
    std::unique_ptr<CertificateService> certificates_;
    TlsContextsPtr tls_contexts_;  // the newest; on the console lane
    // Null, and locked, without certificates.
    std::unique_ptr<PeerDatabase> peers_;
    BoxSecrets secrets_;
    AuthGuard guard_;  // on the queue lane
    std::unique_ptr<BindingProbe> probe_;
    std::unique_ptr<MxLookup> mx_lookup_;
    std::unique_ptr<OrganizationService> service_;
    std::vector<std::unique_ptr<LaneParts>> lanes_;
    std::unique_ptr<QueueManager> manager_;
    std::unique_ptr<QueueAdmin> queue_admin_;
    std::unique_ptr<ReceiveServer> receive_;
};

}  // namespace mailflow
