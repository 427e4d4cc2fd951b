// What the receive sessions of one lane share: the ports they work through, the Organization of the
// moment, and who is live. Built by server/daemon, one per lane, used on that lane only; everything
// referred to outlives the sessions.
#pragma once

#include "server/receive/authenticator.hpp"
#include "server/receive/pressure.hpp"
#include "server/receive/protocol_log.hpp"
#include "server/receive/receive_metrics.hpp"
#include "transport/base/id.hpp"
#include "transport/net/lane.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/ports/directory.hpp"
#include "transport/ports/queue_store.hpp"
#include "transport/ports/tls_contexts.hpp"
#include "transport/ports/tracking_sink.hpp"
#include "transport/route/recipient_resolver.hpp"

#include <boost/intrusive/list.hpp>

#include <functional>
#include <set>
#include <string>

namespace mailflow {

struct ReceiveServices {
    Lane& lane;
    QueueStore& store;
    BodyStore& bodies;
    Directory& directory;
    TrackingSink& tracking;
    QueueIdSource& ids;
    // A message is durable. Called on this lane; taking it to the queue's lane is the callee's
    // business.
    std::function<void(QueuedMessagePtr)> announce;
    Log log;
    // Each may be absent: then nobody logs in, nothing is counted, nothing is written down.
    Authenticator* authenticator = nullptr;  // of this lane
    ReceiveMetrics* metrics = nullptr;       // of this lane
    ProtocolLog* protocol_log = nullptr;
    // The organization's keyed hash for SRS; empty: mail is forwarded under the mailbox's address.
    Srs::Mac srs{};
};

// A live session as its lane's registry sees it. Unlinks itself when it ends.
class LiveSession : public boost::intrusive::list_base_hook<
                        boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    LiveSession() = default;
    LiveSession(const LiveSession&) = delete;
    LiveSession& operator=(const LiveSession&) = delete;
    virtual ~LiveSession() = default;

    // 421 now when it waits for a command, else after the command in hand.
    virtual void stop() = 0;
    // Closes at once.
    virtual void abort() = 0;
    // ReceiveLane::stressed is another: a shorter patience begins now.
    virtual void stress_changed() = 0;
};

struct ReceiveLane {
    explicit ReceiveLane(ReceiveServices parts)
        : services(std::move(parts)) {}

    ReceiveServices services;

    // Address-rewrite entries and SRS of this snapshot; made anew when it changes.
    [[nodiscard]] std::shared_ptr<const AddressTools> address_tools(
        const OrganizationPtr& snapshot) {
        if (tools_ == nullptr || tools_->organization() != snapshot) {
            tools_ = std::make_shared<const AddressTools>(snapshot, services.srs);
        }
        return tools_;
    }

    OrganizationPtr organization;
    TlsContextsPtr tls;  // null: no STARTTLS anywhere
    Pressure pressure;
    std::set<std::string, std::less<>> stressed;  // connectors in stress mode, by name
    boost::intrusive::list<LiveSession, boost::intrusive::constant_time_size<false>> sessions;
    std::string decoded;        // scratch of the body receivers; contents hold within one call
    bool store_failed = false;  // latched: MAIL answers 451 from now on
    bool stopping = false;

  private:
    std::shared_ptr<const AddressTools> tools_;
};

}  // namespace mailflow
