#include "transport/deliver/smtp_delivery_agent.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/deliver/mta_sts.hpp"
#include "transport/ports/content_reader.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace mailflow {

namespace {

std::string lower_names(const MxTargets& hosts) {
    std::vector<std::string> names;
    for (const auto& target : hosts.targets)
        names.push_back(ascii::to_lower(target.host));
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    std::string all;
    for (const auto& name : names)
        all.append(all.empty() ? "" : ",").append(name);
    return all;
}

// The same host by the other address family, when it is the next to be tried.
MailTarget* rival_of(std::vector<MailTarget>& targets, std::size_t position) {
    if (position + 1 == targets.size()) return nullptr;
    const auto& target = targets[position];
    auto& next = targets[position + 1];
    const bool differs = next.endpoint.address.is_v4() != target.endpoint.address.is_v4();
    return differs && next.host == target.host ? &next : nullptr;
}

// An address of the other family cannot be reached from `source`.
void drop_unreachable(std::vector<MailTarget>& targets, const std::optional<IpAddress>& source) {
    const auto fits = [&source](const MailTarget& target) {
        return !source || source->is_v4() == target.endpoint.address.is_v4();
    };
    // With none of its family the first failure says so.
    if (std::any_of(targets.begin(), targets.end(), fits)) {
        std::erase_if(targets, [&fits](const MailTarget& target) { return !fits(target); });
    }
}

TlsPlace place_of(const NextHop& hop) noexcept {
    switch (hop.type) {
        case DeliveryType::lmtp: return TlsPlace::lmtp_server;
        case DeliveryType::smtp_host: return TlsPlace::mailbox_server;
        case DeliveryType::smart_host: return TlsPlace::smart_host;
        default: return TlsPlace::mx_host;
    }
}

// Reference 1.7: mailbox servers are our own, and get what the organization tells itself.
HeaderRights header_rights(const NextHop& hop, const SendConnector& connector) noexcept {
    const bool is_own = hop.type == DeliveryType::lmtp || hop.type == DeliveryType::smtp_host;
    return {connector.send_routing_headers, is_own};
}

}  // namespace

SmtpDeliveryAgent::SmtpDeliveryAgent(Parts parts, Settings settings)
    : parts_(parts)
    , settings_(std::move(settings))
    , opener_(
          {parts_.lane,
           parts_.network,
           parts_.memory,
           parts_.secrets,
           parts_.tokens,
           parts_.worker},
          settings_.cache) {}

// ---- host by host

Task<DeliveryReport> SmtpDeliveryAgent::deliver(DeliveryJob job) {
    Attempt attempt(std::move(job));
    auto hosts = co_await find_hosts(attempt);
    if (hosts.failure) {
        const auto all = attempt.open();
        // Reference 1.1, DowngradeDnsFailures.
        const bool obeys = hosts.reason && attempt.connector != nullptr;
        attempt.settle(
            all,
            obeys ? obey(attempt.connector->error_policies, *hosts.reason, *hosts.failure)
                  : *hosts.failure);
    }
    attempt.destination = lower_names(hosts);
    attempt.mx_authentic = hosts.mx_authentic;
    // RFC 5321 §5.1: in order, until one takes it or none is left.
    auto& targets = hosts.targets;
    for (std::size_t i = 0; i < targets.size() && !attempt.open().empty(); ++i) {
        auto* const rival = rival_of(targets, i);
        const bool tried_both = co_await try_host(attempt, targets[i], rival);
        if (tried_both) ++i;
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
    drop_unreachable(
        targets.targets,
        attempt.connector->source_address ? attempt.connector->source_address : settings_.source);
    co_return targets;
}

// Which TLS the host must give, once for all its addresses.
Task<void> SmtpDeliveryAgent::decide(Attempt& attempt, const MailTarget& target) {
    if (attempt.decided_host == target.host) co_return;
    const auto& hop = attempt.job.hop;
    TlsQuestion question;
    question.connector = attempt.connector;
    question.place = place_of(hop);
    if (hop.type == DeliveryType::dns) question.recipient_domain = ascii::to_lower(hop.domain);
    question.host = target.host;
    question.require_tls = attempt.job.message->envelope.require_tls;
    question.tls_not_required = attempt.job.message->content.facts.tls_not_required;
    if (parts_.resolver.dnssec() == DnssecTrust::proven && asks_dane(question)) {
        DaneHost host{
            ascii::to_lower(target.host),
            target.canonical,
            target.endpoint.port,
            attempt.mx_authentic,
            target.address_authentic};
        auto search = find_dane(parts_.resolver, std::move(host));
        question.dane = co_await std::move(search);
    }
    if (parts_.sts != nullptr && attempt.connector->mta_sts && !attempt.sts_asked &&
        asks_sts(question)) {
        attempt.sts_asked = true;
        auto search = parts_.sts->policy_for(question.recipient_domain);
        attempt.sts = co_await std::move(search);
    }
    if (attempt.sts) {
        question.sts = &*attempt.sts;
        question.sts_lists_host = sts_lists(*attempt.sts, ascii::to_lower(target.host));
    }
    std::optional<TlsPeer> peer;
    if (parts_.memory != nullptr) {
        peer = parts_.memory->find_peer(target.host, parts_.lane.clock().now());
    }
    question.peer = peer ? &*peer : nullptr;
    attempt.decision = decide_tls(question);
    attempt.decided_host = target.host;
}

// A host that could not meet the demand, whatever it said: it is not connected to.
void SmtpDeliveryAgent::refuse(
    Attempt& attempt, const HostPlan& plan, const TlsShortfall& shortfall) {
    opener_.count(plan, shortfall);
    if (plan.tls.source == TlsSource::mta_sts) look_again(plan.policy_domain);
    HostAttempt record;
    record.host = plan.host.name;
    record.failed = true;
    attempt.hosts.push_back(std::move(record));
    const auto all = attempt.open();
    attempt.settle(all, judge_tls(plan.tls.source, shortfall.type, shortfall.words, plan.host));
}

HostPlan SmtpDeliveryAgent::plan_for(const Attempt& attempt, const MailTarget& target) const {
    const auto& hop = attempt.job.hop;
    HostPlan plan;
    plan.socket_path = socket_path(hop);
    plan.host = {target.host, plan.socket_path.empty() ? target.endpoint.text() : std::string()};
    plan.endpoint = target.endpoint;
    plan.connector = attempt.connector;
    plan.is_mailbox_server = is_mailbox_server(hop);
    plan.dialect = hop.type == DeliveryType::lmtp ? SmtpClientSession::Dialect::lmtp
                                                  : SmtpClientSession::Dialect::smtp;
    plan.ehlo_name = attempt.ehlo_name;
    plan.max_messages_per_connection = attempt.job.max_messages_per_connection;
    plan.source =
        attempt.connector->source_address ? attempt.connector->source_address : settings_.source;
    if (hop.type == DeliveryType::dns) plan.policy_domain = ascii::to_lower(hop.domain);
    return plan;
}

namespace {

// Spawned.
Task<void> fetch_again(StsPolicies* policies, std::string domain) {
    co_await policies->policy_after_failure(std::move(domain));
}

}  // namespace

// RFC 8461 §5.1: the policy may have changed without a new id; the next attempt has the new one.
void SmtpDeliveryAgent::look_again(const std::string& domain) {
    if (parts_.sts != nullptr) {
        parts_.lane.spawn("mta-sts after a failure", fetch_again(parts_.sts, domain));
    }
}

// Gives each open recipient its turn with this host, in transactions of bounded size, as far as
// possible on one session.
// `rival`: tried along with it; takes its place when it was the faster one. True: neither could be
// connected to.
Task<bool> SmtpDeliveryAgent::try_host(Attempt& attempt, MailTarget& target, MailTarget* rival) {
    auto plan = plan_for(attempt, target);
    if (rival != nullptr) plan.rival = rival->endpoint;
    co_await decide(attempt, target);
    plan.tls = attempt.decision.demand;
    if (attempt.decision.refused) {
        refuse(attempt, plan, *attempt.decision.refused);
        co_return false;
    }
    auto waiting = attempt.open();
    SessionOpener::Opened opened;
    bool may_reuse = true;
    while (!waiting.empty()) {
        if (!opened.session || !opened.session->is_usable()) {
            opener_.end(std::move(opened.session));
            opened = co_await opener_.open(plan, may_reuse);
            attempt.hosts.push_back(opened.attempt);
            if (rival != nullptr && plan.endpoint != target.endpoint) {
                std::swap(target, *rival);
                rival = nullptr;
            }
            plan.rival.reset();
        }
        if (opened.failure) {
            attempt.settle(waiting, *opened.failure);
            if (opened.fell_short_of_sts) look_again(plan.policy_domain);
            co_return opened.tried_both;
        }
        const auto count = attempt.share(waiting, opened.session->extensions());
        const auto chunk_end = waiting.begin() + static_cast<std::ptrdiff_t>(count);
        std::vector<std::size_t> chunk(waiting.begin(), chunk_end);
        bool was_dead = opened.reused;
        co_await hand_over(attempt, plan, *opened.session, chunk, was_dead);
        if (was_dead) {
            // The session had ended while it rested: that says nothing about the host or the
            // message.
            may_reuse = false;
            attempt.hosts.pop_back();
            continue;
        }
        attempt.reused = attempt.reused || opened.reused;
        opened.reused = false;
        waiting.erase(waiting.begin(), chunk_end);
    }
    opener_.put_back(plan, std::move(opened.session));
    co_return false;
}

// One transaction. `was_dead` in: the session rested before; out: it had ended, and nobody was
// judged.
Task<void> SmtpDeliveryAgent::hand_over(
    Attempt& attempt,
    const HostPlan& plan,
    SmtpClientSession& session,
    std::vector<std::size_t>& some,
    bool& was_dead) {
    const bool rested = std::exchange(was_dead, false);
    const auto& host = plan.host;
    // RFC 6531 §3.2: a recipient that needs SMTPUTF8 does not hold up those that do not.
    const auto utf8 = std::stable_partition(some.begin(), some.end(), [&](std::size_t position) {
        return session.extensions().smtputf8 || !attempt.address(position).needs_smtputf8();
    });
    attempt.settle(std::span(utf8, some.end()), judge(smtp::Unfit::needs_utf8, host));
    some.erase(utf8, some.end());
    if (some.empty()) co_return;

    auto transaction = attempt.transaction(some, parts_.lane.clock().now());
    if (const auto unfit = smtp::find_unfit(session.extensions(), transaction)) {
        attempt.settle(some, judge(*unfit, host));
        co_return;
    }
    const auto& message = *attempt.job.message;
    const auto rights = header_rights(attempt.job.hop, *plan.connector);
    const auto content = co_await open_content(message, attempt.recipient(some.front()), rights);
    if (content.has_error()) {
        attempt.settle(some, judge_own(OwnFailure::body_unavailable, content.error().message()));
        co_return;
    }
    transaction.size -= content->left_out;
    const auto result = co_await session.send(transaction, *content->reader);
    was_dead = rested && result.was_dead;
    if (was_dead) co_return;
    auto& record = attempt.hosts.back();
    record.reply = static_cast<std::uint16_t>(session.last_code());
    if (!result.error && !result.body_error) ++record.messages;
    const PassedOn passed_on{session.extensions().dsn, session.extensions().deliver_by};
    for (std::size_t i = 0; i < some.size(); ++i) {
        const auto& outcome = result.outcomes[i];
        auto& state = attempt.states[some[i]];
        state.passed_on = passed_on;
        state.tls = record.tls;
        record.slow_down = record.slow_down || (outcome.reply && asks_for_less(*outcome.reply));
        attempt.settle(some[i], judge(outcome, result, host, plan.connector->error_policies));
    }
}

Task<Result<OutboundContent>> SmtpDeliveryAgent::open_content(
    const QueuedMessage& message, const QueuedRecipient& recipient, HeaderRights rights) {
    std::unique_ptr<BodyReader> body;
    if (message.body) {
        body = make_memory_reader(message.body);
    } else {
        auto opened = co_await parts_.bodies.open(message.id, message.content.body);
        if (opened.has_error()) co_return opened.error();
        body = *std::move(opened);
    }
    auto content = make_content_reader(message, recipient, std::move(body));
    auto outbound = co_await open_outbound(std::move(content), rights);
    co_return outbound;
}

}  // namespace mailflow
