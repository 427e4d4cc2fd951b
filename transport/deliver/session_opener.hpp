// Gets a session with one host: one that rests in the connection cache, or a new one, with the TLS
// and the log-in that are demanded. Where TLS is optional and goes wrong, in clear; what it came to
// is remembered and counted. One a lane, owned by the delivery agent, used on the lane.
#pragma once

#include "transport/base/ip_address.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/deliver/access_tokens.hpp"
#include "transport/deliver/connection_cache.hpp"
#include "transport/deliver/delivery_agent.hpp"
#include "transport/deliver/delivery_decision.hpp"
#include "transport/deliver/smtp_client_session.hpp"
#include "transport/deliver/tls_demand.hpp"
#include "transport/net/network.hpp"
#include "transport/ports/peer_memory.hpp"
#include "transport/ports/secrets.hpp"
#include "transport/ports/tls_contexts.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace mailflow {

// One host of one attempt; what is pointed to outlives the attempt.
struct HostPlan {
    RemoteHost host;
    Endpoint endpoint;
    // The same host by the other address family; connected to when it is the faster one, and put
    // in the place of `endpoint` then, which takes its.
    std::optional<Endpoint> rival;
    std::string_view socket_path;              // of an LMTP server on this host; empty: TCP
    const SendConnector* connector = nullptr;  // never null
    bool is_mailbox_server = false;  // `connector` stands for its place; nobody configured it
    SmtpClientSession::Dialect dialect = SmtpClientSession::Dialect::smtp;
    std::string ehlo_name;
    std::optional<IpAddress> source;  // bound to before connecting
    TlsDemand tls;
    // Of the destination's policy; none: the connector's.
    std::optional<std::uint32_t> max_messages_per_connection;
    std::string policy_domain;  // the recipient's, for reports (RFC 8460); empty: none are due
};

class SessionOpener {
  public:
    // All outlive the opener. Null: without the feature.
    struct Parts {
        Lane& lane;
        Network& network;
        PeerMemory* memory = nullptr;
        const Secrets* secrets = nullptr;
        AccessTokens* tokens = nullptr;
        TaskRunner* worker = nullptr;  // derives keys of log-ins; null: on the lane
    };

    // A session ready for a transaction; without one, why.
    struct Opened {
        std::unique_ptr<SmtpClientSession> session;
        std::optional<Judgement> failure;
        bool reused = false;
        bool tried_both = false;         // the rival could not be connected to either
        bool fell_short_of_sts = false;  // of an MTA-STS policy
        HostAttempt attempt;             // filled in as far as the host was got
    };

    SessionOpener(Parts parts, const ConnectionCache::Limits& limits);

    // `may_reuse`: false after a resting session turned out to be dead. When TLS was optional and
    // is given up for a while, `plan.tls` says so afterwards.
    Task<Opened> open(HostPlan& plan, bool may_reuse);

    // Keeps the session for the next message, or ends it.
    void put_back(const HostPlan& plan, std::unique_ptr<SmtpClientSession> session);
    // A usable session is ended politely, without anybody waiting for it.
    void end(std::unique_ptr<SmtpClientSession> session);

    // RFC 8460 §4.3: what TLS came to, by policy and host.
    void count(const HostPlan& plan, const TlsShortfall& outcome);

    void set_tls_contexts(TlsContextsPtr contexts) noexcept { contexts_ = std::move(contexts); }

    void close_idle() noexcept { cache_.close_all(); }

    [[nodiscard]] std::size_t idle_connections() const noexcept { return cache_.size(); }

  private:
    struct Login {
        std::optional<SmtpLogin> login;  // none: nobody logs in
        std::optional<Judgement> failure;
    };

    [[nodiscard]] static ConnectionKey key_of(const HostPlan& plan);
    static void swap_rival(HostPlan& plan);
    void take_resting(HostPlan& plan, Opened& opened);
    Task<Result<std::unique_ptr<Stream>>> connect(HostPlan& plan);
    Task<Login> prepare_login(const HostPlan& plan);
    Task<std::optional<OpenFailure>> begin(HostPlan& plan, const SmtpLogin* login, Opened& opened);
    [[nodiscard]] bool give_up_tls(HostPlan& plan, const OpenFailure& failure);
    [[nodiscard]] Judgement judge(
        const HostPlan& plan, const OpenFailure& failure, const SmtpClientSession& session);

    Parts parts_;
    TlsContextsPtr contexts_;
    ConnectionCache cache_;
    std::set<std::string> warned_;  // connectors whose password goes in clear
};

}  // namespace mailflow
