// Delivers by SMTP: to the MX hosts of a domain, to smart hosts or to a mailbox server (which may
// speak LMTP), host by host until every
// recipient is settled. Asks mx_targets where, SmtpClientSession to say it, and delivery_decision
// what follows; decides nothing itself. One a lane, used on it; any number of deliveries at once.
#pragma once

#include "transport/deliver/connection_cache.hpp"
#include "transport/deliver/delivery_agent.hpp"
#include "transport/deliver/mx_targets.hpp"
#include "transport/net/network.hpp"
#include "transport/ports/body_store.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace mailflow {

class SmtpDeliveryAgent final : public DeliveryAgent {
  public:
    // What it works with; all of it outlives the agent.
    struct Parts {
        Lane& lane;
        Network& network;
        Resolver& resolver;
        BodyStore& bodies;
    };

    struct Settings {
        // Names and port are completed from the organization and the connector of each job.
        TargetRules rules;
        std::optional<IpAddress> source;  // bound to before connecting
        ConnectionCache::Limits cache;
    };

    SmtpDeliveryAgent(Parts parts, Settings settings);

    Task<DeliveryReport> deliver(DeliveryJob job) override;

    void close_idle() noexcept override { cache_.close_all(); }

    // Where we listen now: a target that is one of these would be a loop.
    void set_listeners(std::vector<Endpoint> listeners) {
        settings_.rules.listeners = std::move(listeners);
    }

    [[nodiscard]] std::size_t idle_connections() const noexcept { return cache_.size(); }

  private:
    struct Attempt;

    // A session ready for a transaction; without one, why.
    struct Opened {
        std::unique_ptr<SmtpClientSession> session;
        std::optional<Judgement> failure;
        bool reused = false;
    };

    Task<MxTargets> find_hosts(Attempt& attempt);
    Task<void> try_host(Attempt& attempt, const MailTarget& target);
    Task<Opened> open_session(
        const ConnectionKey& key, const RemoteHost& host, const NextHop& hop, bool may_reuse);
    Task<void> hand_over(
        Attempt& attempt,
        const RemoteHost& host,
        SmtpClientSession& session,
        std::vector<std::size_t>& some,
        bool& was_dead);
    Task<Result<std::unique_ptr<BodyReader>>> open_content(
        const QueuedMessage& message, const QueuedRecipient& recipient);
    void end(std::unique_ptr<SmtpClientSession> session);

    Parts parts_;
    Settings settings_;
    ConnectionCache cache_;
};

}  // namespace mailflow
