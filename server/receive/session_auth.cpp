// AUTH (RFC 4954) of a receive session: drives the exchange, answers failures late, counts them.

#include "server/receive/receive_session.hpp"

#include <utility>

namespace mailflow {

namespace {

void count(const ReceiveServices& services, std::string_view mechanism, AuthResult result) {
    if (services.metrics != nullptr) {
        services.metrics->auth(mechanism, result);
    }
}

}  // namespace

Task<ReceiveSession::Step> ReceiveSession::begin_auth(smtp::BeginAuth& begin) {
    AuthPeer peer{client_, rights_.organization, {}, {}};
    if (tls_ != nullptr) {
        // Where -PLUS is not offered, a client that cannot see it is no sign of an attack.
        if (offers(*rights_.connector, AuthMechanism::scram_sha_256_plus)) {
            peer.channel_binding = tls_->channel_binding;
        }
        if (tls_->peer_verified) {
            peer.certificate_names = tls_->peer_emails;
        }
    }
    auto exchange = services().authenticator->begin(begin.mechanism, std::move(peer));
    if (exchange == nullptr) {
        protocol_.auth_failed();
        add(smtp::make_reply(504, "5.5.4", "Unrecognized authentication type"));
        co_return Step::go_on;
    }
    login_ = std::make_unique<Login>(Login{begin.mechanism, std::move(exchange)});
    const auto step = co_await continue_auth(std::move(begin.initial));
    co_return step;
}

Task<ReceiveSession::Step> ReceiveSession::continue_auth(std::optional<std::string> octets) {
    const auto since = clock().monotonic();
    connection_.clear_deadline();  // what takes time now is ours
    const auto result = co_await login_->exchange->step(std::move(octets));
    switch (result.kind) {
        case AuthStep::Kind::challenge: add(protocol_.auth_challenge(result.octets)); break;
        case AuthStep::Kind::success: co_return log_in(result);
        case AuthStep::Kind::unavailable:
            count(services(), login_->mechanism, AuthResult::error);
            login_.reset();
            protocol_.auth_failed();
            add(smtp::make_reply(454, "4.7.0", "Temporary authentication failure"));
            break;
        case AuthStep::Kind::failure: {
            const auto step = co_await refuse_auth(result, since);
            co_return step;
        }
    }
    co_return Step::go_on;
}

ReceiveSession::Step ReceiveSession::log_in(const AuthStep& result) {
    const auto login = std::exchange(login_, nullptr);
    count(services(), login->mechanism, AuthResult::success);
    account_ = result.account;
    note("logged in as " + account_->name, login->mechanism);
    log().info(
        "logged in",
        {{"client", client_.text()},
         {"account", account_->name},
         {"mechanism", login->mechanism},
         {"connector", rights_.connector->name}});
    add(protocol_.auth_succeeded(account_->name));
    update_rights();
    update_extensions();
    return Step::go_on;
}

// Attack case 22: a failure is answered so long after the client's last octets, whatever it was.
Task<ReceiveSession::Step> ReceiveSession::refuse_auth(
    const AuthStep& result, MonotonicTime since) {
    const auto login = std::exchange(login_, nullptr);
    count(services(), login->mechanism, AuthResult::failure);
    count_refusal(result.reason);
    note("log-in refused", result.reason);
    log().info(
        "log-in refused",
        {{"client", client_.text()},
         {"login", result.login},
         {"mechanism", login->mechanism},
         {"connector", rights_.connector->name},
         {"reason", result.reason}});
    const auto due = since + rights_.connector->auth_tarpit_interval;
    if (due > clock().monotonic()) {
        auto& lane = services().lane;
        co_await lane.sleep_until(due);
    }
    protocol_.auth_failed();
    // RFC 4954 §6
    add(smtp::make_reply(535, "5.7.8", "Authentication credentials invalid"));
    const auto most = rights_.connector->max_logon_failures;
    if (++failed_logons_ < most || most == 0) {
        co_return Step::go_on;
    }
    co_return hang_up(smtp::make_reply(
        421, "4.7.0", "Too many failed log-ins on this connection, closing transmission channel"));
}

void ReceiveSession::cancel_auth() {
    if (login_ != nullptr) {
        count(services(), login_->mechanism, AuthResult::cancelled);
        login_.reset();
    }
}

}  // namespace mailflow
