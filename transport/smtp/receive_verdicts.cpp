// ReceiveProtocol, second half: what the driver decided, and what the session remembers of it.
#include "transport/base/encoding.hpp"
#include "transport/smtp/receive_protocol.hpp"

#include <utility>

namespace mailflow::smtp {

namespace {

Envelope envelope_of(Mail&& mail, UtcTime now) {
    Envelope envelope;
    envelope.reverse_path = std::move(mail.path);
    envelope.body = mail.body.value_or(BodyType::seven_bit);
    envelope.smtputf8 = mail.smtputf8;
    envelope.declared_size = mail.size.value_or(0);
    envelope.dsn_return = mail.dsn_return.value_or(DsnReturn::unspecified);
    envelope.envelope_id = std::move(mail.envelope_id).value_or(std::string());
    envelope.authenticated_sender = std::move(mail.authenticated_sender).value_or(std::string());
    envelope.require_tls = mail.require_tls;
    envelope.priority = mail.priority.value_or(0);
    envelope.deliver_by = mail.deliver_by;
    // RFC 4865 §4: one of the two.
    if (mail.hold && mail.hold->hold_until) {
        envelope.release = *mail.hold->hold_until;
    } else if (mail.hold && mail.hold->hold_for) {
        envelope.release = now + std::chrono::seconds(*mail.hold->hold_for);
    }
    return envelope;
}

}  // namespace

Hangup ReceiveProtocol::on_unauthorized_pipelining() {
    return Hangup{make_reply(554, "5.5.0", "SMTP protocol synchronization error")};
}

Reply ReceiveProtocol::helo_accepted() {
    auto& hello = std::get<CheckHelo>(pending_);
    drop_transaction();
    phase_ = Phase::greeted;
    helo_ = std::move(hello.name);
    extended_ = hello.extended;
    pending_ = {};
    // RFC 2034 §3: no enhanced code here.
    auto reply = make_reply(250, "", settings_.fqdn + " Hello [" + settings_.client + ']');
    if (const auto keywords = announcement(settings_.extensions); extended_ && !keywords.empty()) {
        reply.text += '\n';
        reply.text += keywords;
    }
    return reply;
}

void ReceiveProtocol::helo_refused() noexcept {
    pending_ = {};
}

Reply ReceiveProtocol::sender_accepted(UtcTime now) {
    envelope_ = envelope_of(std::get<Mail>(std::move(pending_)), now);
    pending_ = {};
    recipient_refused_ = false;
    phase_ = Phase::mail;
    return fitted(make_reply(250, "2.1.0", "Sender OK"));
}

void ReceiveProtocol::sender_refused() noexcept {
    pending_ = {};
    sender_refused_ = true;
}

Reply ReceiveProtocol::recipient_accepted() {
    envelope_.recipients.push_back(std::get<ForwardPath>(std::move(pending_)));
    pending_ = {};
    phase_ = Phase::rcpt;
    return fitted(make_reply(250, "2.1.5", "Recipient OK"));
}

void ReceiveProtocol::recipient_refused() noexcept {
    pending_ = {};
    recipient_refused_ = true;
}

// RFC 4954 §4: a challenge without octets is `334 ` all the same.
Reply ReceiveProtocol::auth_challenge(std::string_view octets) {
    return make_reply(334, "", base64_encode(octets));
}

Reply ReceiveProtocol::auth_succeeded(std::string account) {
    phase_ = Phase::greeted;
    account_ = std::move(account);
    return fitted(make_reply(235, "2.7.0", "Authentication successful"));
}

void ReceiveProtocol::auth_failed() noexcept {
    if (phase_ == Phase::auth) phase_ = Phase::greeted;
}

// RFC 3207 §4.2: knowledge got from the client in the clear, its name and its login among it, is
// discarded. What wears our patience is ours and stays.
void ReceiveProtocol::tls_started() noexcept {
    forget_client();
    secure_ = true;
}

Reply ReceiveProtocol::start_tls_failed() noexcept {
    return fitted(make_reply(454, "4.7.0", "TLS not available"));
}

Reply ReceiveProtocol::xclient_applied(
    std::string client, std::optional<std::string> helo, std::string account) {
    const auto* asked = std::get_if<Xclient>(&pending_);
    const bool extended = asked != nullptr && asked->extended.value_or(extended_);
    forget_client();
    settings_.client = std::move(client);
    account_ = std::move(account);
    if (helo && !helo->empty()) {
        helo_ = *std::move(helo);
        extended_ = extended;
        phase_ = Phase::greeted;
    }
    const auto& banner = settings_.banner;
    return make_reply(220, "", banner.empty() ? settings_.fqdn + " ESMTP mailflow ready" : banner);
}

Reply ReceiveProtocol::chunk_received(std::uint64_t size) {
    return fitted(make_reply(250, "2.6.0", std::to_string(size) + " octets received"));
}

void ReceiveProtocol::end_transaction(bool taken) noexcept {
    drop_transaction();
    if (taken) idle_commands_ = 0;
}

Envelope ReceiveProtocol::take_envelope() noexcept {
    return std::exchange(envelope_, {});
}

const char* ReceiveProtocol::with_keyword() const noexcept {
    // A client that used TLS or AUTH used an extension, however it greeted.
    if (!extended_ && !secure_ && account_.empty()) return "SMTP";
    const bool account = !account_.empty();
    if (envelope_.smtputf8) {
        if (secure_) return account ? "UTF8SMTPSA" : "UTF8SMTPS";
        return account ? "UTF8SMTPA" : "UTF8SMTP";
    }
    if (secure_) return account ? "ESMTPSA" : "ESMTPS";
    return account ? "ESMTPA" : "ESMTP";
}

Reply ReceiveProtocol::fitted(Reply reply) const {
    if (!settings_.extensions.enhanced_status_codes) reply.status = {};
    return reply;
}

Action ReceiveProtocol::fitted(Action action) const {
    if (settings_.extensions.enhanced_status_codes) return action;
    std::visit(
        [](auto& a) {
            if constexpr (requires { a.reply.status; }) a.reply.status = {};
        },
        action);
    return action;
}

void ReceiveProtocol::drop_transaction() noexcept {
    if (phase_ != Phase::connected) phase_ = Phase::greeted;
    envelope_ = Envelope{};
    sender_refused_ = false;
    recipient_refused_ = false;
    chunk_failed_ = false;
}

void ReceiveProtocol::forget_client() noexcept {
    drop_transaction();
    phase_ = Phase::connected;
    helo_.clear();
    account_.clear();
    extended_ = false;
    pending_ = {};
}

}  // namespace mailflow::smtp
