// What the receive sessions of one lane share: the ports they work through, the Organization of the
// moment, and who is live. Built by server/daemon, one per lane, used on that lane only; everything
// referred to outlives the sessions.
#pragma once

#include "transport/base/id.hpp"
#include "transport/net/lane.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/ports/directory.hpp"
#include "transport/ports/queue_store.hpp"
#include "transport/ports/tracking_sink.hpp"

#include <boost/intrusive/list.hpp>

#include <functional>
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
};

struct ReceiveLane {
    explicit ReceiveLane(ReceiveServices parts)
        : services(std::move(parts)) {}

    ReceiveServices services;
    OrganizationPtr organization;
    boost::intrusive::list<LiveSession, boost::intrusive::constant_time_size<false>> sessions;
    std::string decoded;        // scratch of the body receivers; contents hold within one call
    bool store_failed = false;  // latched: MAIL answers 451 from now on
    bool stopping = false;
};

}  // namespace mailflow
