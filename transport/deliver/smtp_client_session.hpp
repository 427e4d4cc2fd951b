// One connected SMTP session with a peer, as the client: greeting, EHLO, STARTTLS, AUTH,
// transactions, QUIT. Drives smtp::ClientProtocol over a Connection with a deadline for each step
// (RFC 5321 §4.5.3.2) and says what happened; judging it is the agent's. Owned by the delivery
// agent while it works and by the connection cache while it rests. Used on its lane only.
#pragma once

#include "transport/base/task_runner.hpp"
#include "transport/deliver/delivery_decision.hpp"
#include "transport/deliver/tls_policy.hpp"
#include "transport/net/connection.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/ports/tls_contexts.hpp"
#include "transport/smtp/client_protocol.hpp"
#include "transport/smtp/limits.hpp"
#include "transport/smtp/sasl_client.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// How to log in (RFC 4954) before the first message.
struct SmtpLogin {
    smtp::SaslClientSecrets secrets;
    bool allow_plain = false;  // PLAIN and LOGIN also in clear
};

// What a session is to come to before its first message. What is pointed to outlives `open`.
struct SessionPlan {
    const TlsDemand* tls = nullptr;               // null: STARTTLS is not said
    TlsContextPtr context{};                      // null: TLS cannot be had
    const SmtpLogin* login = nullptr;             // null: nobody logs in
    bool helo_only = false;                       // HELO at once: no extension, no STARTTLS
    TaskRunner* worker = nullptr;                 // derives keys of SCRAM; null: on the lane
    Duration patience = smtp::kEndOfDataTimeout;  // with a silent peer, whatever it owes us
};

// Why a session could not be opened: a reply that refuses, or an error.
struct OpenFailure {
    DeliveryStage stage = DeliveryStage::greeting;
    std::optional<smtp::PeerReply> reply;
    ErrorCode error;
    std::string detail{};  // of starttls, handshake and auth: in our words
    // Optional TLS went wrong: the host may do in clear.
    bool reconnect_in_clear = false;
};

struct TransactionResult {
    // In the order of the transaction's recipients. Those without a reply share `error`, or
    // `body_error`.
    std::vector<smtp::RecipientOutcome> outcomes;
    ErrorCode error;       // the connection failed or the peer lost its way
    ErrorCode body_error;  // our stored content could not be read; the peer got no final dot
    // The connection was of no use from the start: it ended, or 421 was said, before the peer had
    // answered MAIL. Expected of a connection that rested; nothing was handed over.
    bool was_dead = false;
};

class SmtpClientSession {
  public:
    // RFC 2033: LMTP greets with LHLO, and with nothing else.
    enum class Dialect : std::uint8_t { smtp, lmtp };

    SmtpClientSession(
        std::unique_ptr<Connection> connection,
        std::string ehlo_name,
        Dialect dialect = Dialect::smtp);

    // Greeting, then EHLO, or HELO when the peer knows no EHLO; STARTTLS as demanded and EHLO
    // again; AUTH. Nothing means open.
    Task<std::optional<OpenFailure>> open(const SessionPlan& plan);

    [[nodiscard]] const smtp::PeerExtensions& extensions() const noexcept { return extensions_; }

    // Null: the session is in clear.
    [[nodiscard]] const TlsFacts* tls() const noexcept { return tls_ ? &*tls_ : nullptr; }

    // What TLS came to, success included. Nothing: it was not asked for.
    [[nodiscard]] const std::optional<TlsShortfall>& tls_outcome() const noexcept {
        return tls_outcome_;
    }

    // The log-in said its password so that anybody on the way could read it.
    [[nodiscard]] bool has_shown_password() const noexcept { return shown_password_; }

    // The reply read last, of whatever stage; 0: none.
    [[nodiscard]] int last_code() const noexcept { return last_code_; }

    // One transaction; `content` is read once, from its beginning (make_content_reader). The
    // session must be usable.
    Task<TransactionResult> send(const smtp::MailTransaction& transaction, BodyReader& content);

    // Another transaction may follow.
    [[nodiscard]] bool is_usable() const noexcept {
        // RFC 9422 §4.1: MAILMAX.
        return usable_ && (!extensions_.max_mails || transactions_ < *extensions_.max_mails);
    }

    [[nodiscard]] std::uint32_t transactions() const noexcept { return transactions_; }

    // While resting in the cache: no deadline of its own.
    void rest() noexcept { connection_->clear_deadline(); }

    // The peer has said something nobody asked for (421 mostly), or closed: not to be used again.
    [[nodiscard]] bool has_spoken() { return connection_->has_input() || connection_->has_ended(); }

    // QUIT, then at most kQuitTimeout for the peer to close first.
    Task<void> quit();
    // QUIT if it can be written at once, and closed.
    void close() noexcept;

  private:
    class ReplySink;

    // The deadline of a step: never later than the plan allows.
    void wait_at_most(Duration patience) {
        connection_->expires_after(std::min(patience, patience_));
    }

    Task<Result<smtp::PeerReply>> read_reply();
    Task<Result<smtp::PeerReply>> command(std::string_view line, Duration patience);
    Task<std::optional<OpenFailure>> greet(bool helo_only);
    Task<std::optional<OpenFailure>> encrypt(const SessionPlan& plan);
    Task<std::optional<OpenFailure>> shake_hands(const SessionPlan& plan);
    [[nodiscard]] std::optional<OpenFailure> react(
        const TlsDemand& demand, TlsEvent event, TlsShortfall shortfall, OpenFailure failure);
    Task<std::optional<OpenFailure>> log_in(const SessionPlan& plan);
    Task<Result<smtp::PeerReply>> converse(
        smtp::SaslClient& client, smtp::PeerReply reply, TaskRunner* worker);
    Task<ErrorCode> reset();
    Task<ErrorCode> advance(
        smtp::ClientProtocol& protocol, BodyReader& content, TransactionResult& result);
    Task<ErrorCode> write_flight(
        smtp::ClientProtocol& protocol, BodyReader& content, TransactionResult& result);
    Task<ErrorCode> send_body(
        smtp::ClientProtocol& protocol, BodyReader& content, TransactionResult& result);
    Task<ErrorCode> write_body(smtp::ClientProtocol& protocol, std::string_view octets);
    Task<void> take_early_reply(smtp::ClientProtocol& protocol);

    std::unique_ptr<Connection> connection_;
    std::string ehlo_name_;
    Dialect dialect_;
    smtp::PeerExtensions extensions_;
    smtp::ReplyParser parser_;
    std::optional<TlsFacts> tls_;
    std::optional<TlsShortfall> tls_outcome_;
    int last_code_ = 0;
    Duration patience_ = smtp::kEndOfDataTimeout;
    std::uint32_t transactions_ = 0;
    bool shown_password_ = false;
    bool usable_ = false;
    bool needs_reset_ = false;
};

}  // namespace mailflow
