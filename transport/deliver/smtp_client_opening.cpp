// What a client session says before its first message.
#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"
#include "transport/deliver/smtp_client_session.hpp"
#include "transport/smtp/limits.hpp"

#include <string_view>
#include <utility>

namespace mailflow {

namespace {

// Steps of one SASL exchange; SCRAM needs two.
constexpr int kMaxSaslSteps = 8;

OpenFailure failed_at(DeliveryStage stage, Result<smtp::PeerReply> reply) {
    if (reply.has_error()) return {stage, std::nullopt, reply.error()};
    return {stage, *std::move(reply), {}};
}

}  // namespace

Task<std::optional<OpenFailure>> SmtpClientSession::open(const SessionPlan& plan) {
    patience_ = plan.patience;
    wait_at_most(smtp::kGreetingTimeout);
    auto greeting = co_await read_reply();
    if (greeting.has_error() || !greeting->is_completion()) {
        co_return failed_at(DeliveryStage::greeting, std::move(greeting));
    }
    auto failure = co_await greet(plan.helo_only);
    if (!failure && plan.tls != nullptr && plan.tls->level != TlsLevel::none) {
        failure = co_await encrypt(plan);
    }
    if (!failure && plan.login != nullptr) {
        failure = co_await log_in(plan);
    }
    usable_ = !failure;
    co_return failure;
}

Task<std::optional<OpenFailure>> SmtpClientSession::greet(bool helo_only) {
    extensions_ = {};
    // RFC 2033 §4.1
    const bool is_lmtp = dialect_ == Dialect::lmtp;
    if (!helo_only) {
        const std::string line = (is_lmtp ? "LHLO " : "EHLO ") + ehlo_name_ + "\r\n";
        auto reply = co_await command(line, smtp::kHelloTimeout);
        if (reply.has_value() && reply->is_completion()) {
            extensions_ = smtp::parse_extensions(*reply);
            co_return std::nullopt;
        }
        if (reply.has_error() || !reply->is_permanent() || is_lmtp) {
            co_return failed_at(DeliveryStage::ehlo, std::move(reply));
        }
    }
    // RFC 5321 §3.2: a server that refuses EHLO may be one from before it.
    const std::string old_line = "HELO " + ehlo_name_ + "\r\n";
    auto old_reply = co_await command(old_line, smtp::kHelloTimeout);
    if (old_reply.has_value() && old_reply->is_completion()) {
        co_return std::nullopt;
    }
    co_return failed_at(DeliveryStage::ehlo, std::move(old_reply));
}

// ---- STARTTLS

// What TLS came to is kept; whether the session goes on is the demand's to say. Nothing: it does.
std::optional<OpenFailure> SmtpClientSession::react(
    const TlsDemand& demand, TlsEvent event, TlsShortfall shortfall, OpenFailure failure) {
    failure.detail = shortfall.words;
    tls_outcome_ = std::move(shortfall);
    const auto move = next_move(demand, event);
    if (move == TlsMove::proceed) return std::nullopt;
    failure.reconnect_in_clear = move == TlsMove::reconnect_in_clear;
    return failure;
}

Task<std::optional<OpenFailure>> SmtpClientSession::encrypt(const SessionPlan& plan) {
    using Type = TlsResultType;
    const auto& demand = *plan.tls;
    OpenFailure failure{DeliveryStage::starttls, std::nullopt, Error::tls_failed};
    if (!extensions_.start_tls || !plan.context) {
        const auto* const words =
            extensions_.start_tls ? "there is no TLS here" : "the host offers no STARTTLS";
        co_return react(
            demand,
            TlsEvent::not_offered,
            {Type::starttls_not_supported, words},
            std::move(failure));
    }
    const std::string_view line = "STARTTLS\r\n";
    auto reply = co_await command(line, smtp::kHelloTimeout);
    if (reply.has_error()) {
        auto words = "no reply to STARTTLS: " + reply.error().message();
        failure.error = reply.error();
        co_return react(
            demand,
            TlsEvent::closing,
            {Type::starttls_not_supported, std::move(words)},
            std::move(failure));
    }
    if (!reply->is_completion()) {
        auto words = "STARTTLS refused: " + reply->one_line();
        const bool is_refusal =
            (reply->is_temporary() || reply->is_permanent()) && reply->code != 421;
        failure.reply = *std::move(reply);
        co_return react(
            demand,
            is_refusal ? TlsEvent::refused : TlsEvent::closing,
            {Type::starttls_not_supported, std::move(words)},
            std::move(failure));
    }
    // RFC 3207 §6; decisions 2.1: what stands behind the 220 is anybody's, and would be taken for
    // words said inside TLS.
    if (connection_->has_input()) {
        co_return react(
            demand,
            TlsEvent::injected,
            {Type::validation_failure, "octets in clear behind the reply to STARTTLS"},
            std::move(failure));
    }
    auto failed = co_await shake_hands(plan);
    co_return failed;
}

Task<std::optional<OpenFailure>> SmtpClientSession::shake_hands(const SessionPlan& plan) {
    const auto& demand = *plan.tls;
    const auto deadline = connection_->lane().clock().monotonic() + smtp::kHandshakeTimeout;
    connection_->clear_deadline();
    std::string why;
    auto expectation = expectation_of(demand);
    auto facts =
        co_await connection_->start_tls_as_client(plan.context, expectation, deadline, &why);
    OpenFailure failure{DeliveryStage::handshake, std::nullopt, Error::tls_failed};
    if (facts.has_error()) {
        failure.error = facts.error();
        co_return react(
            demand,
            TlsEvent::handshake_failed,
            {TlsResultType::validation_failure, "handshake: " + why},
            std::move(failure));
    }
    tls_ = *std::move(facts);
    tls_outcome_ = TlsShortfall{TlsResultType::success, {}};
    if (auto shortfall = judge_certificate(demand, *tls_)) {
        auto failed =
            react(demand, TlsEvent::not_good_enough, *std::move(shortfall), std::move(failure));
        if (failed) co_return failed;
    }
    // RFC 3207 §4.2: what was said before is forgotten.
    auto failed = co_await greet(false);
    if (failed && !failed->reply) {
        // Of TLS 1.3 the server's last word on our handshake comes here.
        failed->stage = DeliveryStage::handshake;
        auto words = "no reply to EHLO inside TLS: " + failed->error.message();
        failed = react(
            demand,
            TlsEvent::handshake_failed,
            {TlsResultType::validation_failure, std::move(words)},
            *std::move(failed));
    }
    co_return failed;
}

// ---- AUTH

namespace {

OpenFailure not_logged_in(std::string detail) {
    return {DeliveryStage::auth, std::nullopt, Error::unavailable, std::move(detail)};
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words)
        text.append(text.empty() ? "" : " ").append(word);
    return text;
}

// RFC 4954 §4: an empty response is one `=`; one that makes the line too long waits for a 334.
std::string auth_command(
    smtp::ClientMechanism mechanism, const std::optional<std::string>& response) {
    auto line = "AUTH " + std::string(smtp::name_of(mechanism));
    if (response) {
        const auto encoded = response->empty() ? "=" : base64_encode(*response);
        if (line.size() + 1 + encoded.size() <= smtp::kMaxAuthLine) line += ' ' + encoded;
    }
    return line + "\r\n";
}

}  // namespace

Task<std::optional<OpenFailure>> SmtpClientSession::log_in(const SessionPlan& plan) {
    const auto& login = *plan.login;
    auto secrets = login.secrets;
    if (tls_) secrets.channel_binding = tls_->channel_binding;
    const auto mechanism =
        smtp::choose_mechanism(extensions_.auth, secrets, tls_.has_value(), login.allow_plain);
    if (!mechanism) {
        co_return not_logged_in(
            extensions_.auth.empty()
                ? std::string(
                      tls_ ? "the host offers no AUTH" : "the host offers no AUTH without TLS")
                : (tls_ ? "no usable mechanism among AUTH " : "without TLS none of AUTH ") +
                      joined(extensions_.auth) + (tls_ ? "" : " can be used"));
    }
    shown_password_ = !tls_ && (*mechanism == smtp::ClientMechanism::plain ||
                                *mechanism == smtp::ClientMechanism::login);
    smtp::SaslClient client(*mechanism, std::move(secrets));
    const auto response = client.begin();
    if (response.has_error()) {
        co_return not_logged_in("AUTH could not be begun: " + response.error().message());
    }
    const auto line = auth_command(*mechanism, *response);
    const bool response_waits = *response && line.find(' ', 5) == std::string::npos;
    auto reply = co_await command(line, smtp::kAuthTimeout);
    if (response_waits && reply.has_value() && reply->code == 334) {
        const auto answer = base64_encode(**response) + "\r\n";
        reply = co_await command(answer, smtp::kAuthTimeout);
    }
    if (reply.has_value() && reply->code == 334) {
        reply = co_await converse(client, *std::move(reply), plan.worker);
    }
    if (reply.has_error()) {
        co_return OpenFailure{DeliveryStage::auth, std::nullopt, reply.error()};
    }
    if (!reply->is_completion()) {
        co_return OpenFailure{DeliveryStage::auth, *std::move(reply), {}};
    }
    // RFC 5802 §7: a server that does not know the password cannot prove it.
    if (!client.is_server_proved()) {
        co_return not_logged_in("the host did not prove that it knows the password");
    }
    co_return std::nullopt;
}

// RFC 4954 §4: from one 334 to the reply that is none.
Task<Result<smtp::PeerReply>> SmtpClientSession::converse(
    smtp::SaslClient& client, smtp::PeerReply reply, TaskRunner* worker) {
    for (int step = 0; reply.code == 334; ++step) {
        const auto challenge = base64_decode(reply.lines.front());
        std::string answer = "*\r\n";
        if (challenge.has_value() && step < kMaxSaslSteps) {
            Result<std::string> octets = Error::syntax;
            if (worker == nullptr) {
                octets = client.answer(*challenge);
            } else {
                // SCRAM hashes thousands of times.
                const auto derive = [&client, &challenge] {
                    return client.answer(*challenge);
                };
                octets = co_await offload(*worker, derive);
            }
            if (octets.has_value()) answer = base64_encode(*octets) + "\r\n";
        }
        const bool cancelled = answer.front() == '*';
        auto next = co_await command(answer, smtp::kAuthTimeout);
        if (next.has_error() || cancelled) {
            // Attack case 39: a 334 to `*` is no end either.
            if (next.has_value() && next->code == 334) co_return ErrorCode(Error::syntax);
            co_return next;
        }
        reply = *std::move(next);
    }
    co_return reply;
}

}  // namespace mailflow
