// Delivers by SMTP: to the MX hosts of a domain, to smart hosts or to a mailbox server (which may
// speak LMTP), host by host until every recipient is settled. Asks mx_targets where, SessionOpener
// for sessions, SmtpClientSession to say it, and delivery_decision what follows; decides nothing
// itself. One a lane, used on it; any number of deliveries at once.
#pragma once

#include "transport/deliver/delivery_agent.hpp"
#include "transport/deliver/delivery_attempt.hpp"
#include "transport/deliver/mx_targets.hpp"
#include "transport/deliver/session_opener.hpp"
#include "transport/deliver/sts_policies.hpp"
#include "transport/net/network.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/ports/outbound_header.hpp"

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
        // Null: without the feature.
        PeerMemory* memory = nullptr;
        const Secrets* secrets = nullptr;
        AccessTokens* tokens = nullptr;
        TaskRunner* worker = nullptr;  // derives keys of log-ins; null: on the lane
        StsPolicies* sts = nullptr;
    };

    struct Settings {
        // Names and port are completed from the organization and the connector of each job.
        TargetRules rules;
        std::optional<IpAddress> source;  // bound to before connecting
        ConnectionCache::Limits cache;
    };

    SmtpDeliveryAgent(Parts parts, Settings settings);

    Task<DeliveryReport> deliver(DeliveryJob job) override;

    void close_idle() noexcept override { opener_.close_idle(); }

    // For the sessions that begin from now on. Null: there is no TLS.
    void set_tls_contexts(TlsContextsPtr contexts) noexcept {
        opener_.set_tls_contexts(std::move(contexts));
    }

    // Where we listen now: a target that is one of these would be a loop.
    void set_listeners(std::vector<Endpoint> listeners) {
        settings_.rules.listeners = std::move(listeners);
    }

    [[nodiscard]] std::size_t idle_connections() const noexcept {
        return opener_.idle_connections();
    }

  private:
    using Attempt = DeliveryAttempt;

    Task<MxTargets> find_hosts(Attempt& attempt);
    [[nodiscard]] HostPlan plan_for(const Attempt& attempt, const MailTarget& target) const;
    Task<void> decide(Attempt& attempt, const MailTarget& target);
    void refuse(Attempt& attempt, const HostPlan& plan, const TlsShortfall& shortfall);
    void look_again(const std::string& domain);
    Task<bool> try_host(Attempt& attempt, MailTarget& target, MailTarget* rival);
    Task<void> hand_over(
        Attempt& attempt,
        const HostPlan& plan,
        SmtpClientSession& session,
        std::vector<std::size_t>& some,
        bool& was_dead);
    Task<Result<OutboundContent>> open_content(
        const QueuedMessage& message, const QueuedRecipient& recipient, HeaderRights rights);

    Parts parts_;
    Settings settings_;
    SessionOpener opener_;
};

}  // namespace mailflow
