#include "transport/deliver/session_opener.hpp"

#include "transport/base/error.hpp"
#include "transport/deliver/connection_race.hpp"
#include "transport/deliver/delivery_attempt.hpp"
#include "transport/smtp/limits.hpp"

#include <algorithm>
#include <chrono>

namespace mailflow {

namespace {

// How long a host whose optional TLS failed is spoken to in clear: doubled with each failure in a
// row, as the host's trouble may be over in minutes or never.
constexpr auto kFirstRest = std::chrono::hours(1);
constexpr std::uint32_t kMostDoublings = 5;

// Spawned: owns the session until the peer has closed.
Task<void> quit(std::unique_ptr<SmtpClientSession> session) {
    co_await session->quit();
}

TlsPolicyType policy_type(TlsSource source) noexcept {
    switch (source) {
        case TlsSource::dane: return TlsPolicyType::tlsa;
        case TlsSource::mta_sts: return TlsPolicyType::sts;
        case TlsSource::nobody:
        case TlsSource::memory:
        case TlsSource::connector:
        case TlsSource::message: break;
    }
    return TlsPolicyType::no_policy_found;
}

// Sessions of other credentials are other sessions (decisions §2.6). The password is sealed: equal
// text is an equal secret, and says nothing of it.
std::string credentials_of(const SendConnector& connector) {
    if (connector.auth == SmartHostAuth::none) return {};
    return std::to_string(static_cast<int>(connector.auth)) + ' ' + connector.username + ' ' +
           connector.password + connector.oauth2.client_id + connector.oauth2.refresh_token;
}

}  // namespace

SessionOpener::SessionOpener(Parts parts, const ConnectionCache::Limits& limits)
    : parts_(parts)
    , cache_(parts_.lane, limits) {}

// Decisions §2.6
ConnectionKey SessionOpener::key_of(const HostPlan& plan) {
    return {
        plan.host.name,
        plan.endpoint,
        plan.source,
        plan.ehlo_name,
        plan.connector->name,
        plan.tls.key(),
        plan.connector->certificate,
        credentials_of(*plan.connector)};
}

void SessionOpener::swap_rival(HostPlan& plan) {
    std::swap(plan.endpoint, *plan.rival);
    plan.host.address = plan.endpoint.text();
}

// Of either address.
void SessionOpener::take_resting(HostPlan& plan, Opened& opened) {
    opened.session = cache_.take(key_of(plan));
    if (!opened.session && plan.rival) {
        swap_rival(plan);
        opened.session = cache_.take(key_of(plan));
        if (!opened.session) swap_rival(plan);
    }
    opened.reused = opened.session != nullptr;
    if (!opened.reused) return;
    opened.attempt.address = plan.host.address;
    opened.attempt.connected = true;
    opened.attempt.reused = true;
    if (const auto* tls = opened.session->tls()) opened.attempt.tls = tls->text();
}

Task<SessionOpener::Opened> SessionOpener::open(HostPlan& plan, bool may_reuse) {
    Opened opened;
    opened.attempt.host = plan.host.name;
    opened.attempt.address = plan.host.address;
    if (may_reuse) take_resting(plan, opened);
    if (opened.reused) co_return opened;
    auto login = co_await prepare_login(plan);
    if (login.failure) {
        opened.failure = std::move(login.failure);
        co_return opened;
    }
    const auto* const with = login.login ? &*login.login : nullptr;
    const auto began = parts_.lane.clock().monotonic();
    auto failure = co_await begin(plan, with, opened);
    if (failure && give_up_tls(plan, *failure)) {
        end(std::move(opened.session));
        failure = co_await begin(plan, with, opened);
    }
    opened.attempt.connect_time =
        std::chrono::duration_cast<Duration>(parts_.lane.clock().monotonic() - began);
    if (failure) {
        opened.attempt.failed = true;
        opened.fell_short_of_sts = plan.tls.source == TlsSource::mta_sts && opened.session &&
                                   (failure->stage == DeliveryStage::starttls ||
                                    failure->stage == DeliveryStage::handshake);
        if (opened.session) opened.failure = judge(plan, *failure, *opened.session);
        end(std::move(opened.session));
    }
    co_return opened;
}

// One connection. Without a session in `opened` its failure is there as well.
Task<std::optional<OpenFailure>> SessionOpener::begin(
    HostPlan& plan, const SmtpLogin* login, Opened& opened) {
    auto stream = co_await connect(plan);
    opened.attempt.address = plan.host.address;
    if (stream.has_error()) {
        opened.failure = judge_error(DeliveryStage::connect, stream.error(), plan.host);
        opened.tried_both = plan.rival.has_value();
        co_return OpenFailure{DeliveryStage::connect, std::nullopt, stream.error()};
    }
    opened.attempt.connected = true;
    auto connection = std::make_unique<Connection>(parts_.lane, *std::move(stream));
    opened.session =
        std::make_unique<SmtpClientSession>(std::move(connection), plan.ehlo_name, plan.dialect);
    SessionPlan session_plan;
    session_plan.tls = &plan.tls;
    session_plan.login = login;
    session_plan.worker = parts_.worker;
    session_plan.helo_only = plan.connector->force_helo;
    session_plan.patience = plan.connector->connection_inactivity_timeout;
    if (contexts_ && plan.tls.level != TlsLevel::none) {
        session_plan.context =
            contexts_->client_context(plan.is_mailbox_server ? nullptr : plan.connector);
    }
    auto failure = co_await opened.session->open(session_plan);
    if (const auto& outcome = opened.session->tls_outcome()) count(plan, *outcome);
    if (const auto* tls = opened.session->tls()) opened.attempt.tls = tls->text();
    opened.attempt.reply = static_cast<std::uint16_t>(opened.session->last_code());
    if (opened.session->has_shown_password() && warned_.insert(plan.connector->name).second) {
        parts_.lane.log().warning(
            "a password was sent in clear: the connector logs in without TLS (auth = basic)",
            {{"connector", plan.connector->name},
             {"remote", plan.host.name + " " + plan.host.address}});
    }
    if (failure && failure->reply) opened.attempt.slow_down = asks_for_less(*failure->reply);
    co_return failure;
}

Task<Result<std::unique_ptr<Stream>>> SessionOpener::connect(HostPlan& plan) {
    if (!plan.socket_path.empty()) {
        auto connecting = parts_.network.connect_local(parts_.lane, std::string(plan.socket_path));
        auto stream = co_await std::move(connecting);
        co_return stream;
    }
    if (plan.rival) {
        auto racing = connect_either(
            parts_.lane,
            parts_.network,
            plan.endpoint,
            *plan.rival,
            plan.source,
            smtp::kConnectTimeout);
        auto result = co_await std::move(racing);
        if (!result.stream) co_return result.error;
        if (result.rival_won) swap_rival(plan);
        co_return std::move(result.stream);
    }
    const auto deadline = parts_.lane.clock().monotonic() + smtp::kConnectTimeout;
    auto connecting = parts_.network.connect(parts_.lane, plan.endpoint, plan.source, deadline);
    auto stream = co_await std::move(connecting);
    co_return stream;
}

// ---- TLS

// Optional TLS that failed or stalled: in clear from now on, for a while.
bool SessionOpener::give_up_tls(HostPlan& plan, const OpenFailure& failure) {
    if (!failure.reconnect_in_clear || parts_.lane.is_stopping()) return false;
    if (parts_.memory != nullptr) {
        const auto now = parts_.lane.clock().now();
        TlsPeer peer;
        if (const auto known = parts_.memory->find_peer(plan.host.name, now)) peer = *known;
        peer.host = plan.host.name;
        peer.why = failure.detail;
        peer.failed = now;
        peer.until = now + kFirstRest * (1U << std::min(peer.failures, kMostDoublings));
        ++peer.failures;
        parts_.memory->keep_peer(peer);
    }
    parts_.lane.log().info(
        "TLS failed where it is optional; the host is spoken to in clear for a while",
        {{"remote", plan.host.name + " " + plan.host.address}, {"reason", failure.detail}});
    TlsDemand clear;
    clear.level = TlsLevel::none;
    clear.source = TlsSource::memory;
    plan.tls = std::move(clear);
    return true;
}

void SessionOpener::count(const HostPlan& plan, const TlsShortfall& outcome) {
    if (parts_.memory == nullptr || plan.policy_domain.empty()) return;
    TlsResult result;
    result.policy_domain = plan.policy_domain;
    result.policy = policy_type(plan.tls.source);
    result.host = plan.host.name;
    result.type = outcome.type;
    result.detail = outcome.words;
    parts_.memory->count(result, parts_.lane.clock().now());
}

// ---- log-in

// Secrets are opened for a new session and forgotten with it.
Task<SessionOpener::Login> SessionOpener::prepare_login(const HostPlan& plan) {
    const auto& connector = *plan.connector;
    Login result;
    if (connector.auth == SmartHostAuth::none) co_return result;
    SmtpLogin login;
    login.secrets.username = connector.username;
    login.secrets.host = plan.host.name;
    login.secrets.port = plan.endpoint.port;
    if (connector.auth == SmartHostAuth::oauth2) {
        std::string why = "this server fetches no tokens";
        Result<std::string> token = Error::unavailable;
        if (parts_.tokens != nullptr) {
            token = co_await parts_.tokens->token_for(connector, &why);
        }
        if (token.has_error()) {
            result.failure = judge_own(OwnFailure::no_token, connector.name + ": " + why);
            co_return result;
        }
        login.secrets.access_token = *std::move(token);
    } else {
        Result<std::string> password = Error::unavailable;
        if (parts_.secrets != nullptr) {
            password = parts_.secrets->open(
                connector.password, secret_context(connector.name, "password"));
        }
        if (password.has_error()) {
            result.failure = judge_own(
                OwnFailure::credentials_unreadable,
                "password of send connector " + connector.name + ": " + password.error().message());
            co_return result;
        }
        login.secrets.password = *std::move(password);
        // Reference 1.1: basic works without TLS.
        login.allow_plain = connector.auth == SmartHostAuth::basic;
    }
    result.login = std::move(login);
    co_return result;
}

Judgement SessionOpener::judge(
    const HostPlan& plan, const OpenFailure& failure, const SmtpClientSession& session) {
    if (failure.stage == DeliveryStage::auth) {
        std::optional<RemoteReply> reply;
        if (failure.reply) reply = remote_reply(*failure.reply);
        if (reply && parts_.tokens != nullptr && plan.connector->auth == SmartHostAuth::oauth2) {
            parts_.tokens->refuse(plan.connector->name);
        }
        if (reply || !failure.detail.empty()) {
            return judge_login(
                *plan.connector, reply ? &*reply : nullptr, failure.detail, plan.host);
        }
    }
    const bool by_tls =
        failure.stage == DeliveryStage::starttls || failure.stage == DeliveryStage::handshake;
    if (by_tls && failure.error != Error::cancelled && session.tls_outcome()) {
        return judge_tls(plan.tls.source, session.tls_outcome()->type, failure.detail, plan.host);
    }
    if (!failure.reply) return judge_error(failure.stage, failure.error, plan.host);
    const auto reply = remote_reply(*failure.reply);
    return obey(
        plan.connector->error_policies, reply, judge_reply(failure.stage, reply, plan.host));
}

// ---- afterwards

void SessionOpener::put_back(const HostPlan& plan, std::unique_ptr<SmtpClientSession> session) {
    if (!session) return;
    const auto& connector = *plan.connector;
    auto rest = cache_.put(
        key_of(plan),
        std::move(session),
        {connector.connection_inactivity_timeout,
         plan.max_messages_per_connection.value_or(connector.max_messages_per_connection)});
    end(std::move(rest));
}

void SessionOpener::end(std::unique_ptr<SmtpClientSession> session) {
    if (!session) return;
    if (session->is_usable()) {
        parts_.lane.spawn("smtp quit", quit(std::move(session)));
    } else {
        session->close();
    }
}

}  // namespace mailflow
