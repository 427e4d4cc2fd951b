#include "transport/deliver/delivery_attempt.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/smtp/limits.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <set>
#include <utility>

namespace mailflow {

namespace {

constexpr std::uint16_t kSmtpPort = 25;
constexpr std::uint16_t kLmtpPort = 24;  // where one is not given

// Recipients of one transaction: what every server takes (RFC 5321 §4.5.3.1.8).
constexpr std::size_t kMaxRecipientsPerTransaction = smtp::kMinRecipients;

DeliveryStage stage_of(smtp::ClientStage stage) noexcept {
    switch (stage) {
        case smtp::ClientStage::greeting: return DeliveryStage::greeting;
        case smtp::ClientStage::hello: return DeliveryStage::ehlo;
        case smtp::ClientStage::mail: return DeliveryStage::mail;
        case smtp::ClientStage::rcpt: return DeliveryStage::rcpt;
        case smtp::ClientStage::data:
        case smtp::ClientStage::body: return DeliveryStage::data;
        case smtp::ClientStage::end_of_data: break;
    }
    return DeliveryStage::final_dot;
}

OwnFailure failure_of(smtp::Unfit unfit) noexcept {
    switch (unfit) {
        case smtp::Unfit::too_large: break;
        case smtp::Unfit::needs_utf8: return OwnFailure::needs_smtputf8;
        case smtp::Unfit::needs_binary: return OwnFailure::needs_binarymime;
        case smtp::Unfit::no_deliver_by: return OwnFailure::no_deliver_by;
        case smtp::Unfit::too_late: return OwnFailure::deliver_by_too_soon;
        case smtp::Unfit::no_require_tls: return OwnFailure::requires_tls;
    }
    return OwnFailure::too_large_for_host;
}

// As this recipient gets it.
std::uint64_t size_of(const QueuedMessage& message, const QueuedRecipient& recipient) {
    auto size = message.content.size();
    if (recipient.variant != 0) {
        size = size - message.content.prefix.size() + message.prefix_of(recipient).size();
        for (const auto& edit : message.content.edits) {
            size = size + edit.length - edit.text.size();
        }
        for (const auto& edit : message.edits_of(recipient)) {
            size = size - edit.length + edit.text.size();
        }
    }
    return size;
}

}  // namespace

// ---- judging

RemoteReply remote_reply(const smtp::PeerReply& reply, bool means_too_many_recipients) {
    return {
        static_cast<std::uint16_t>(reply.code),
        reply.status,
        reply.one_line(),
        means_too_many_recipients};
}

bool asks_for_less(const smtp::PeerReply& reply) noexcept {
    constexpr std::uint16_t kPolicy = 7;
    return reply.code == 421 || (reply.is_temporary() && (reply.status.subject == kPolicy ||
                                                          reply.status == EnhancedStatus{4, 3, 2} ||
                                                          reply.status == EnhancedStatus{4, 4, 5}));
}

Judgement judge(
    const smtp::RecipientOutcome& outcome,
    const TransactionResult& result,
    const RemoteHost& host,
    const ErrorPolicies& policies) {
    if (outcome.reply) {
        const auto reply = remote_reply(*outcome.reply, outcome.means_too_many_recipients);
        return obey(policies, reply, judge_reply(stage_of(outcome.stage), reply, host));
    }
    if (result.body_error) {
        return judge_own(
            result.body_error == Error::corrupt ? OwnFailure::body_corrupt
                                                : OwnFailure::body_unavailable,
            result.body_error.message());
    }
    const bool after_dot = outcome.stage == smtp::ClientStage::end_of_data;
    return judge_error(
        after_dot ? DeliveryStage::connection_lost_after_dot : stage_of(outcome.stage),
        result.error,
        host);
}

Judgement judge(smtp::Unfit unfit, const RemoteHost& host) {
    auto judgement = judge_own(failure_of(unfit));
    judgement.status.remote_mta = host.name;
    judgement.status.remote_address = host.address;
    return judgement;
}

// ---- next hops that are servers of mailboxes

bool is_mailbox_server(const NextHop& hop) noexcept {
    return hop.type == DeliveryType::lmtp || hop.type == DeliveryType::smtp_host;
}

std::string_view socket_path(const NextHop& hop) noexcept {
    constexpr std::string_view kUnix = "unix:";
    const std::string_view place = hop.domain;
    return hop.type == DeliveryType::lmtp && place.starts_with(kUnix) ? place.substr(kUnix.size())
                                                                      : std::string_view();
}

std::optional<SendConnector> server_of(const NextHop& hop) {
    SendConnector server;
    server.name = hop.key();  // its connections are its own
    server.routing = SendRouting::smart_hosts;
    server.port = hop.type == DeliveryType::lmtp ? kLmtpPort : kSmtpPort;
    if (!socket_path(hop).empty()) {
        return server;
    }
    std::string_view name = hop.domain;
    const auto colon = name.rfind(':');
    if (colon != std::string_view::npos && name.find(']', colon) == std::string_view::npos) {
        const auto port = ascii::parse_number(name.substr(colon + 1));
        if (!port || *port == 0 || *port > UINT16_MAX) {
            return std::nullopt;
        }
        server.port = static_cast<std::uint16_t>(*port);
        name = name.substr(0, colon);
    }
    const auto host = parse_smart_host(name);
    if (!host) {
        return std::nullopt;
    }
    server.smart_hosts = {*host};
    return server;
}

// ---- the attempt

std::vector<std::size_t> DeliveryAttempt::open() const {
    std::vector<std::size_t> positions;
    for (std::size_t i = 0; i < states.size(); ++i) {
        if (!states[i].settled) positions.push_back(i);
    }
    // A transaction has one MAIL FROM and one header: variants follow each other.
    std::stable_sort(positions.begin(), positions.end(), [this](auto a, auto b) {
        return recipient(a).variant < recipient(b).variant;
    });
    return positions;
}

void DeliveryAttempt::settle(std::size_t position, Judgement judgement) {
    auto& state = states[position];
    if (judgement.verdict == DeliveryVerdict::try_next_host) {
        state.hosts.push_back(std::move(judgement));
    } else {
        state.settled = std::move(judgement);
    }
}

void DeliveryAttempt::settle(std::span<const std::size_t> positions, const Judgement& judgement) {
    for (const auto position : positions)
        settle(position, judgement);
}

// RFC 9422 §4.2, §4.3: RCPTMAX and RCPTDOMAINMAX. A limit of none would be no limit at all.
std::size_t DeliveryAttempt::share(
    std::span<const std::size_t> waiting, const smtp::PeerExtensions& peer) const {
    const auto most = std::min<std::size_t>(
        kMaxRecipientsPerTransaction, std::max(1U, peer.max_recipients.value_or(UINT32_MAX)));
    const std::size_t most_domains = std::max(1U, peer.max_recipient_domains.value_or(UINT32_MAX));
    std::set<std::string> domains;
    std::size_t count = 0;
    while (count < std::min(waiting.size(), most) &&
           recipient(waiting[count]).variant == recipient(waiting.front()).variant) {
        domains.insert(ascii::to_lower(address(waiting[count]).domain_text()));
        if (domains.size() > most_domains) break;
        ++count;
    }
    return count;
}

smtp::MailTransaction DeliveryAttempt::transaction(
    std::span<const std::size_t> positions, UtcTime now) const {
    const auto& message = *job.message;
    smtp::MailTransaction transaction;
    const auto& first = recipient(positions.front());
    transaction.reverse_path = message.reverse_path_of(first);
    transaction.size = size_of(message, first);
    transaction.lmtp = job.hop.type == DeliveryType::lmtp;
    transaction.eight_bit = message.content.facts.eight_bit;
    transaction.smtputf8_header = message.content.facts.smtputf8_header;
    // RFC 8689 §1 is about relaying; what a mailbox server takes by LMTP is delivered.
    transaction.require_tls = message.envelope.require_tls && !transaction.lmtp;
    transaction.binary = message.envelope.body == BodyType::binary_mime;
    for (const auto position : positions) {
        transaction.recipients.push_back(address(position));
        transaction.dsn.push_back(recipient(position).dsn);
    }
    transaction.dsn_return = message.envelope.dsn_return;
    transaction.envelope_id = message.envelope.envelope_id;
    transaction.priority = message.envelope.priority;
    transaction.deliver_by = message.envelope.deliver_by;
    if (const auto deadline = message.deadline()) {
        // RFC 2852 §4: the next hop has what is left; negative when a late message goes on.
        const auto left = std::chrono::floor<std::chrono::seconds>(*deadline - now);
        transaction.deliver_by->seconds = static_cast<std::int32_t>(left.count());
    }
    return transaction;
}

DeliveryReport DeliveryAttempt::report() {
    DeliveryReport report;
    report.reused_connection = reused;
    report.destination = std::move(destination);
    report.hosts = std::move(hosts);
    // RFC 2033 §4.2: what a mailbox server has taken is in the mailbox.
    const bool ends_here = job.hop.type == DeliveryType::lmtp;
    for (std::size_t i = 0; i < states.size(); ++i) {
        auto& state = states[i];
        auto judgement = state.settled ? *std::move(state.settled) : judge_exhausted(state.hosts);
        if (ends_here && judgement.status.action == DeliveryAction::relayed) {
            judgement.status.action = DeliveryAction::delivered;
        }
        if (judgement.verdict == DeliveryVerdict::retry_hop) {
            // The recipients without a report of their own wait with the hop.
            report.hop_failure = std::move(judgement.status);
        } else {
            report.recipients.push_back(
                {job.recipients[i],
                 std::move(judgement.status),
                 state.passed_on,
                 std::move(state.tls)});
        }
    }
    return report;
}

}  // namespace mailflow
