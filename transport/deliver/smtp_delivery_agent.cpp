#include "transport/deliver/smtp_delivery_agent.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/ports/content_reader.hpp"
#include "transport/smtp/limits.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <set>
#include <span>
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

RemoteReply remote_reply(const smtp::PeerReply& reply, bool means_too_many_recipients = false) {
    return {
        static_cast<std::uint16_t>(reply.code),
        reply.status,
        reply.one_line(),
        means_too_many_recipients};
}

Judgement judge(const OpenFailure& failure, const RemoteHost& host) {
    return failure.reply ? judge_reply(failure.stage, remote_reply(*failure.reply), host)
                         : judge_error(failure.stage, failure.error, host);
}

Judgement judge(
    const smtp::RecipientOutcome& outcome,
    const TransactionResult& result,
    const RemoteHost& host) {
    if (outcome.reply) {
        return judge_reply(
            stage_of(outcome.stage),
            remote_reply(*outcome.reply, outcome.means_too_many_recipients),
            host);
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

OwnFailure failure_of(smtp::Unfit unfit) noexcept {
    switch (unfit) {
        case smtp::Unfit::too_large: break;
        case smtp::Unfit::needs_utf8: return OwnFailure::needs_smtputf8;
        case smtp::Unfit::needs_binary: return OwnFailure::needs_binarymime;
        case smtp::Unfit::no_deliver_by: return OwnFailure::no_deliver_by;
        case smtp::Unfit::too_late: return OwnFailure::deliver_by_too_soon;
    }
    return OwnFailure::too_large_for_host;
}

Judgement judge(smtp::Unfit unfit, const RemoteHost& host) {
    auto judgement = judge_own(failure_of(unfit));
    judgement.status.remote_mta = host.name;
    judgement.status.remote_address = host.address;
    return judgement;
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

bool is_mailbox_server(const NextHop& hop) noexcept {
    return hop.type == DeliveryType::lmtp || hop.type == DeliveryType::smtp_host;
}

// Of an LMTP server on this host; empty: it is reached by TCP.
std::string_view socket_path(const NextHop& hop) noexcept {
    constexpr std::string_view kUnix = "unix:";
    const std::string_view place = hop.domain;
    return hop.type == DeliveryType::lmtp && place.starts_with(kUnix) ? place.substr(kUnix.size())
                                                                      : std::string_view();
}

// As a connector of one smart host: named by the administrator, no MX, no rule about private
// addresses. None: the place cannot be read.
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

// Spawned: owns the session until the peer has closed.
Task<void> quit(std::unique_ptr<SmtpClientSession> session) {
    co_await session->quit();
}

}  // namespace

// One job while it is worked on: which recipients are still open, and what each host said about
// them.
struct SmtpDeliveryAgent::Attempt {
    explicit Attempt(DeliveryJob j)
        : job(std::move(j))
        , states(job.recipients.size()) {}

    struct State {
        std::vector<Judgement> hosts;  // that ended in try_next_host
        std::optional<Judgement> settled;
        PassedOn passed_on;
    };

    // Positions in `job.recipients`.
    [[nodiscard]] std::vector<std::size_t> open() const {
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

    void settle(std::size_t position, Judgement judgement) {
        auto& state = states[position];
        if (judgement.verdict == DeliveryVerdict::try_next_host) {
            state.hosts.push_back(std::move(judgement));
        } else {
            state.settled = std::move(judgement);
        }
    }

    void settle(std::span<const std::size_t> positions, const Judgement& judgement) {
        for (const auto position : positions)
            settle(position, judgement);
    }

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
    bool reused = false;
};

// RFC 9422 §4.2, §4.3: RCPTMAX and RCPTDOMAINMAX. A limit of none would be no limit at all.
std::size_t SmtpDeliveryAgent::Attempt::share(
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

smtp::MailTransaction SmtpDeliveryAgent::Attempt::transaction(
    std::span<const std::size_t> positions, UtcTime now) const {
    const auto& message = *job.message;
    smtp::MailTransaction transaction;
    const auto& first = recipient(positions.front());
    transaction.reverse_path = message.reverse_path_of(first);
    transaction.size = size_of(message, first);
    transaction.lmtp = job.hop.type == DeliveryType::lmtp;
    transaction.eight_bit = message.content.facts.eight_bit;
    transaction.smtputf8_header = message.content.facts.smtputf8_header;
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

DeliveryReport SmtpDeliveryAgent::Attempt::report() {
    DeliveryReport report;
    report.reused_connection = reused;
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
                {job.recipients[i], std::move(judgement.status), state.passed_on});
        }
    }
    return report;
}

SmtpDeliveryAgent::SmtpDeliveryAgent(Parts parts, Settings settings)
    : parts_(parts)
    , settings_(std::move(settings))
    , cache_(parts_.lane, settings_.cache) {}

// ---- host by host

Task<DeliveryReport> SmtpDeliveryAgent::deliver(DeliveryJob job) {
    Attempt attempt(std::move(job));
    if (attempt.job.message->envelope.require_tls) {
        // RFC 8689 §4.2.1: without TLS of its own this client can ask no host for it.
        const auto all = attempt.open();
        attempt.settle(all, judge_own(OwnFailure::requires_tls));
        co_return attempt.report();
    }
    const auto hosts = co_await find_hosts(attempt);
    if (hosts.failure) {
        const auto all = attempt.open();
        attempt.settle(all, *hosts.failure);
    }
    // RFC 5321 §5.1: in order, until one takes it or none is left.
    for (const auto& target : hosts.targets) {
        if (attempt.open().empty()) break;
        co_await try_host(attempt, target);
    }
    co_return attempt.report();
}

Task<MxTargets> SmtpDeliveryAgent::find_hosts(Attempt& attempt) {
    const auto& organization = *attempt.job.organization;
    const auto& hop = attempt.job.hop;
    NextHop searched = hop;
    if (is_mailbox_server(hop)) {
        attempt.server = server_of(hop);
        if (!attempt.server) {
            co_return MxTargets{{}, judge_own(OwnFailure::no_hosts)};
        }
        attempt.connector = &*attempt.server;
        searched.type = DeliveryType::smart_host;
    } else {
        attempt.connector = organization.find_send_connector(hop.connector);
    }
    if (attempt.connector == nullptr) {
        co_return MxTargets{{}, judge_own(OwnFailure::connector_missing)};
    }
    const auto& node = organization.node().fqdn;
    attempt.ehlo_name = attempt.connector->fqdn.empty() ? node : attempt.connector->fqdn;
    attempt.rules = rules_for(settings_.rules, *attempt.connector, organization);
    if (!socket_path(hop).empty()) {
        co_return MxTargets{{MailTarget{hop.domain, {}}}, std::nullopt};
    }
    auto targets = co_await find_targets(
        parts_.resolver, parts_.lane.random(), searched, *attempt.connector, attempt.rules);
    co_return targets;
}

// Gives each open recipient its turn with this host, in transactions of bounded size, as far as
// possible on one session.
Task<void> SmtpDeliveryAgent::try_host(Attempt& attempt, const MailTarget& target) {
    const ConnectionKey key{
        target.host, target.endpoint, settings_.source, attempt.ehlo_name, attempt.connector->name};
    const bool is_local = !socket_path(attempt.job.hop).empty();
    const RemoteHost host{target.host, is_local ? std::string() : target.endpoint.text()};
    auto waiting = attempt.open();
    Opened opened;
    bool may_reuse = true;
    while (!waiting.empty()) {
        if (!opened.session || !opened.session->is_usable()) {
            end(std::move(opened.session));
            opened = co_await open_session(key, host, attempt.job.hop, may_reuse);
        }
        if (opened.failure) {
            attempt.settle(waiting, *opened.failure);
            co_return;
        }
        const auto count = attempt.share(waiting, opened.session->extensions());
        const auto chunk_end = waiting.begin() + static_cast<std::ptrdiff_t>(count);
        std::vector<std::size_t> chunk(waiting.begin(), chunk_end);
        bool was_dead = opened.reused;
        co_await hand_over(attempt, host, *opened.session, chunk, was_dead);
        if (was_dead) {
            // The session had ended while it rested: that says nothing about the host or the
            // message.
            may_reuse = false;
            continue;
        }
        attempt.reused = attempt.reused || opened.reused;
        opened.reused = false;
        waiting.erase(waiting.begin(), chunk_end);
    }
    auto rest = cache_.put(key, std::move(opened.session));
    end(std::move(rest));
}

Task<SmtpDeliveryAgent::Opened> SmtpDeliveryAgent::open_session(
    const ConnectionKey& key, const RemoteHost& host, const NextHop& hop, bool may_reuse) {
    Opened opened;
    if (may_reuse) {
        opened.session = cache_.take(key);
        opened.reused = opened.session != nullptr;
        if (opened.reused) co_return opened;
    }
    const auto deadline = parts_.lane.clock().monotonic() + smtp::kConnectTimeout;
    const auto path = std::string(socket_path(hop));
    auto connecting = path.empty()
                          ? parts_.network.connect(parts_.lane, key.endpoint, key.source, deadline)
                          : parts_.network.connect_local(parts_.lane, path);
    auto stream = co_await std::move(connecting);
    if (stream.has_error()) {
        opened.failure = judge_error(DeliveryStage::connect, stream.error(), host);
        co_return opened;
    }
    auto connection = std::make_unique<Connection>(parts_.lane, *std::move(stream));
    const auto dialect = hop.type == DeliveryType::lmtp ? SmtpClientSession::Dialect::lmtp
                                                        : SmtpClientSession::Dialect::smtp;
    auto session =
        std::make_unique<SmtpClientSession>(std::move(connection), key.ehlo_name, dialect);
    const auto failure = co_await session->open();
    if (failure) {
        opened.failure = judge(*failure, host);
        end(std::move(session));
    } else {
        opened.session = std::move(session);
    }
    co_return opened;
}

// One transaction. `was_dead` in: the session rested before; out: it had ended, and nobody was
// judged.
Task<void> SmtpDeliveryAgent::hand_over(
    Attempt& attempt,
    const RemoteHost& host,
    SmtpClientSession& session,
    std::vector<std::size_t>& some,
    bool& was_dead) {
    const bool rested = std::exchange(was_dead, false);
    // RFC 6531 §3.2: a recipient that needs SMTPUTF8 does not hold up those that do not.
    const auto utf8 = std::stable_partition(some.begin(), some.end(), [&](std::size_t position) {
        return session.extensions().smtputf8 || !attempt.address(position).needs_smtputf8();
    });
    attempt.settle(std::span(utf8, some.end()), judge(smtp::Unfit::needs_utf8, host));
    some.erase(utf8, some.end());
    if (some.empty()) co_return;

    const auto transaction = attempt.transaction(some, parts_.lane.clock().now());
    if (const auto unfit = smtp::find_unfit(session.extensions(), transaction)) {
        attempt.settle(some, judge(*unfit, host));
        co_return;
    }
    const auto& message = *attempt.job.message;
    const auto content = co_await open_content(message, attempt.recipient(some.front()));
    if (content.has_error()) {
        attempt.settle(some, judge_own(OwnFailure::body_unavailable, content.error().message()));
        co_return;
    }
    const auto result = co_await session.send(transaction, **content);
    was_dead = rested && result.was_dead;
    if (was_dead) co_return;
    const PassedOn passed_on{session.extensions().dsn, session.extensions().deliver_by};
    for (std::size_t i = 0; i < some.size(); ++i) {
        attempt.states[some[i]].passed_on = passed_on;
        attempt.settle(some[i], judge(result.outcomes[i], result, host));
    }
}

Task<Result<std::unique_ptr<BodyReader>>> SmtpDeliveryAgent::open_content(
    const QueuedMessage& message, const QueuedRecipient& recipient) {
    if (message.body) {
        co_return make_content_reader(message, recipient, make_memory_reader(message.body));
    }
    auto body = co_await parts_.bodies.open(message.id, message.content.body);
    if (body.has_error()) co_return body.error();
    co_return make_content_reader(message, recipient, *std::move(body));
}

// A usable session is ended politely, without anybody waiting for it.
void SmtpDeliveryAgent::end(std::unique_ptr<SmtpClientSession> session) {
    if (!session) return;
    if (session->is_usable()) {
        parts_.lane.spawn("smtp quit", quit(std::move(session)));
    } else {
        session->close();
    }
}

}  // namespace mailflow
