// One job of the SMTP delivery agent while it is worked on: which recipients are still open, and
// what each host said about them. Belongs to the coroutine that delivers; plain data and rules, no
// I/O.
#pragma once

#include "transport/deliver/delivery_agent.hpp"
#include "transport/deliver/delivery_decision.hpp"
#include "transport/deliver/mx_targets.hpp"
#include "transport/deliver/smtp_client_session.hpp"
#include "transport/deliver/tls_policy.hpp"
#include "transport/smtp/client_protocol.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

struct DeliveryAttempt {
    explicit DeliveryAttempt(DeliveryJob j)
        : job(std::move(j))
        , states(job.recipients.size()) {}

    struct State {
        std::vector<Judgement> hosts;  // that ended in try_next_host
        std::optional<Judgement> settled;
        PassedOn passed_on;
        std::string tls;  // of the session that settled it
    };

    // Positions in `job.recipients`; those of one variant follow each other.
    [[nodiscard]] std::vector<std::size_t> open() const;

    void settle(std::size_t position, Judgement judgement);
    void settle(std::span<const std::size_t> positions, const Judgement& judgement);

    [[nodiscard]] const QueuedRecipient& recipient(std::size_t position) const {
        return job.message->recipients.at(job.recipients[position]);
    }

    [[nodiscard]] const EmailAddress& address(std::size_t position) const {
        return recipient(position).address;
    }

    // How many of `waiting`, from the front, the peer takes in one transaction.
    [[nodiscard]] std::size_t share(
        std::span<const std::size_t> waiting, const smtp::PeerExtensions& peer) const;
    [[nodiscard]] smtp::MailTransaction transaction(
        std::span<const std::size_t> positions, UtcTime now) const;
    [[nodiscard]] DeliveryReport report();

    DeliveryJob job;
    const SendConnector* connector = nullptr;
    TargetRules rules;
    std::string ehlo_name;
    std::optional<SendConnector> server;  // what a mailbox server's place stands for
    std::vector<State> states;
    std::vector<HostAttempt> hosts;
    std::string destination;
    bool reused = false;
    bool mx_authentic = false;
    bool sts_asked = false;
    std::optional<StsPolicy> sts;  // of the recipients' domain
    // Of the host tried last, whose addresses follow each other.
    std::string decided_host;
    TlsDecision decision;
};

// What became of one recipient of a transaction, in the connector's eyes.
[[nodiscard]] Judgement judge(
    const smtp::RecipientOutcome& outcome,
    const TransactionResult& result,
    const RemoteHost& host,
    const ErrorPolicies& policies);
[[nodiscard]] Judgement judge(smtp::Unfit unfit, const RemoteHost& host);
[[nodiscard]] RemoteReply remote_reply(
    const smtp::PeerReply& reply, bool means_too_many_recipients = false);

// A reply that asks for less of it: 421, or a 4yz with a code of policy or of a busy system
// (RFC 3463 X.7.x, X.3.2, X.4.5).
[[nodiscard]] bool asks_for_less(const smtp::PeerReply& reply) noexcept;

// Of an LMTP server on this host; empty: it is reached by TCP.
[[nodiscard]] std::string_view socket_path(const NextHop& hop) noexcept;
[[nodiscard]] bool is_mailbox_server(const NextHop& hop) noexcept;
// As a connector of one smart host: named by the administrator, no MX, no rule about private
// addresses. None: the place cannot be read.
[[nodiscard]] std::optional<SendConnector> server_of(const NextHop& hop);

}  // namespace mailflow
