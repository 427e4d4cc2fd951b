// STARTTLS (RFC 3207) and TLS on connect (RFC 8314) of a receive session.

#include "server/receive/receive_session.hpp"
#include "transport/base/error.hpp"

#include <algorithm>

namespace mailflow {

namespace {

// A handshake takes two round trips and some arithmetic; who is slower than this is not shaking.
constexpr Duration kHandshakePatience = std::chrono::seconds(60);

}  // namespace

// Nothing is buffered: `next_action` has seen to that (attack case 4).
Task<ReceiveSession::Step> ReceiveSession::begin_tls(smtp::Reply reply) {
    TlsContextPtr context;
    if (lane_.tls != nullptr) {
        context = lane_.tls->server_context(*rights_.connector);
    }
    if (context == nullptr) {
        add(protocol_.start_tls_failed());
        co_return Step::go_on;
    }
    add(reply);
    const auto error = co_await flush();
    if (error) {
        co_return lost(error);
    }
    const bool done = co_await shake_hands(std::move(context));
    if (!done) {
        co_return Step::drop;
    }
    // RFC 3207 §4.2: nothing of what was said in clear counts any more.
    transaction_.reset();
    account_.reset();
    update_rights();
    update_extensions();
    co_return Step::go_on;
}

Task<ReceiveSession::Step> ReceiveSession::begin_implicit_tls() {
    TlsContextPtr context;
    if (lane_.tls != nullptr) {
        context = lane_.tls->server_context(*rights_.connector);
    }
    if (context == nullptr) {
        outcome_ = SessionOutcome::tls_failed;
        log().info(
            "no certificate for TLS on connect",
            {{"connector", rights_.connector->name}, {"client", client_.text()}});
        co_return Step::drop;
    }
    const bool done = co_await shake_hands(std::move(context));
    if (!done) {
        co_return Step::drop;
    }
    update_rights();
    co_return Step::go_on;
}

// False: the connection is closed.
Task<bool> ReceiveSession::shake_hands(TlsContextPtr context) {
    connection_.clear_deadline();
    connection_.set_last_words({});  // a reply in clear would be no TLS
    const auto patience =
        std::min<Duration>(kHandshakePatience, rights_.connector->connection_inactivity_timeout);
    const auto deadline = clock().monotonic() + patience;
    std::string why;
    auto facts = co_await connection_.start_tls(std::move(context), deadline, &why);
    if (!facts) {
        outcome_ = SessionOutcome::tls_failed;
        if (services().metrics != nullptr) {
            services().metrics->tls_failed();
        }
        note("TLS handshake failed", why);
        log().info(
            "TLS handshake failed",
            {{"client", client_.text()},
             {"connector", rights_.connector->name},
             {"reason", why.empty() ? facts.error().message() : why}});
        co_return false;
    }
    tls_ = std::make_unique<TlsFacts>(std::move(*facts));
    if (services().metrics != nullptr) {
        services().metrics->tls_established(tls_->version, tls_->cipher);
    }
    note("TLS established", tls_->text());
    protocol_.tls_started();
    co_return true;
}

}  // namespace mailflow
