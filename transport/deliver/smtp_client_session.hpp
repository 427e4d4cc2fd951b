// One connected SMTP session with a peer, as the client: greeting, EHLO, transactions, QUIT. Drives
// smtp::ClientProtocol over a Connection with a deadline for each step (RFC 5321 §4.5.3.2) and says
// what happened; judging it is the agent's. Owned by the delivery agent while it works and by the
// connection cache while it rests. Used on its lane only.
#pragma once

#include "transport/deliver/delivery_decision.hpp"
#include "transport/net/connection.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/smtp/client_protocol.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// Why a session could not be opened: a reply that refuses, or an error.
struct OpenFailure {
    DeliveryStage stage = DeliveryStage::greeting;
    std::optional<smtp::PeerReply> reply;
    ErrorCode error;
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

    // Greeting, then EHLO, or HELO when the peer knows no EHLO. Nothing means open.
    Task<std::optional<OpenFailure>> open();

    [[nodiscard]] const smtp::PeerExtensions& extensions() const noexcept { return extensions_; }

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

    // The peer has said something nobody asked for (421 mostly): not to be used again.
    [[nodiscard]] bool has_spoken() { return connection_->has_input(); }

    // QUIT, then at most kQuitTimeout for the peer to close first.
    Task<void> quit();
    // QUIT if it can be written at once, and closed.
    void close() noexcept;

  private:
    class ReplySink;

    Task<Result<smtp::PeerReply>> read_reply();
    Task<Result<smtp::PeerReply>> command(std::string_view line, Duration patience);
    Task<std::optional<OpenFailure>> greet();
    Task<ErrorCode> reset();
    Task<ErrorCode> advance(
        smtp::ClientProtocol& protocol, BodyReader& content, TransactionResult& result);
    Task<ErrorCode> write_flight(smtp::ClientProtocol& protocol);
    Task<ErrorCode> send_body(
        smtp::ClientProtocol& protocol, BodyReader& content, TransactionResult& result);
    Task<ErrorCode> write_body(smtp::ClientProtocol& protocol, std::string_view octets);
    Task<void> take_early_reply(smtp::ClientProtocol& protocol);

    std::unique_ptr<Connection> connection_;
    std::string ehlo_name_;
    Dialect dialect_;
    smtp::PeerExtensions extensions_;
    smtp::ReplyParser parser_;
    std::uint32_t transactions_ = 0;
    bool usable_ = false;
    bool needs_reset_ = false;
};

}  // namespace mailflow
