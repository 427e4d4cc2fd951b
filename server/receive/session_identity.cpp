// Who the client of a receive session is and what that allows: rights, what is offered, XCLIENT.

#include "server/receive/receive_session.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace mailflow {

Standing ReceiveSession::standing() const noexcept {
    if (account_ != nullptr) {
        return Standing::authenticated;
    }
    const bool certified = tls_ != nullptr && tls_->peer_verified &&
                           rights_.connector->client_certificates != ClientCertificates::none;
    return certified ? Standing::partner : Standing::anonymous;
}

// The connector as it is configured now; as it was when it is gone.
void ReceiveSession::refresh_rights() {
    const auto& now = lane_.organization;
    if (now == nullptr || now == rights_.organization) {
        return;
    }
    for (const auto& connector : now->receive_connectors()) {
        if (connector.enabled && connector.name == rights_.connector->name) {
            rights_ = Rights::of(now, connector, standing());
            set_own_limits();
            return;
        }
    }
}

// After TLS, AUTH, XCLIENT.
void ReceiveSession::update_rights() {
    rights_ = Rights::of(rights_.organization, *rights_.connector, standing());
    set_own_limits();
}

void ReceiveSession::set_own_limits() {
    if (account_ != nullptr) {
        rights_.own_max_send_size = account_->limits.max_send_size;
    }
}

void ReceiveSession::update_extensions() {
    SessionSecurity security;
    security.secure = tls_ != nullptr;
    if (tls_ != nullptr) {
        security.can_bind = !tls_->channel_binding.empty();
        security.is_certified = tls_->peer_verified && !tls_->peer_emails.empty();
    } else if (lane_.tls != nullptr) {
        security.has_certificate = lane_.tls->server_context(*rights_.connector) != nullptr;
    }
    security.may_xclient = may_xclient();
    security.may_log_in = services().authenticator != nullptr;
    protocol_.set_extensions(offered_extensions(rights_, security, clock().now()));
}

// ---- XCLIENT

// By who really connects: what XCLIENT said gives no right to say more.
bool ReceiveSession::may_xclient() const noexcept {
    const auto& from = rights_.connector->xclient_from;
    const auto& peer = connection_.remote().address;
    return std::any_of(
        from.begin(), from.end(), [&peer](const auto& range) { return range.contains(peer); });
}

Task<ReceiveSession::Step> ReceiveSession::apply_xclient(smtp::Xclient& attributes) {
    refresh_rights();
    MailRecipientPtr account;
    if (attributes.login && !attributes.login->empty()) {
        auto found = co_await services().directory.find_login(*attributes.login);
        if (!found) {
            add(local_failure(found.error()));
            co_return Step::go_on;
        }
        account = std::move(*found);
    }
    if (attributes.address) {
        client_ = *attributes.address;
    }
    account_ = std::move(account);
    transaction_.reset();
    if (!choose_connector()) {
        log().info("XCLIENT refused", {{"client", client_.text()}, {"reason", "no connector"}});
        co_return hang_up(no_service());
    }
    update_rights();
    protocol_.set_settings(protocol_settings());
    update_extensions();
    log().info(
        "XCLIENT",
        {{"peer", connection_.remote().address.text()},
         {"client", client_.text()},
         {"connector", rights_.connector->name},
         {"account", account_ == nullptr ? "" : account_->name}});
    add(protocol_.xclient_applied(
        client_.text(),
        std::move(attributes.helo),
        account_ == nullptr ? std::string() : account_->name));
    co_return Step::go_on;
}

// The session is for another client now, whom another connector may take.
bool ReceiveSession::choose_connector() {
    const auto& all = rights_.organization->receive_connectors();
    const bool only_this = bound_.port == 0;
    const auto choice =
        only_this ? std::span(rights_.connector, 1) : std::span<const ReceiveConnector>(all);
    const auto* const connector = select_receive_connector(choice, bound_, client_);
    if (connector == nullptr) {
        return false;
    }
    rights_.connector = connector;
    return true;
}

}  // namespace mailflow
