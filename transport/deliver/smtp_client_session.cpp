#include "transport/deliver/smtp_client_session.hpp"

#include "transport/base/error.hpp"
#include "transport/smtp/data_encoder.hpp"
#include "transport/smtp/limits.hpp"

#include <utility>

namespace mailflow {

namespace {

// Content is written in pieces of about this size: a small message with its final dot is one
// segment, and between two pieces an early reply is noticed.
constexpr std::size_t kBodyPiece = 32 * 1024;

Duration patience_at(smtp::ClientStage stage) noexcept {
    switch (stage) {
        case smtp::ClientStage::greeting: return smtp::kGreetingTimeout;
        case smtp::ClientStage::hello: return smtp::kHelloTimeout;
        case smtp::ClientStage::mail: return smtp::kMailTimeout;
        case smtp::ClientStage::rcpt: return smtp::kRecipientTimeout;
        case smtp::ClientStage::data: return smtp::kDataTimeout;
        case smtp::ClientStage::body: return smtp::kDataBlockTimeout;
        case smtp::ClientStage::end_of_data: break;
    }
    return smtp::kEndOfDataTimeout;
}

// Content in the form its transaction has: dot-stuffed with a final dot, or one chunk of the size
// that was announced.
class BodyForm {
  public:
    explicit BodyForm(const smtp::ClientProtocol& protocol)
        : chunked_(protocol.is_chunked())
        , left_(protocol.size()) {}

    // An empty piece is the end. False: there is not as much as was announced.
    [[nodiscard]] bool add(std::string_view piece, std::string& wire) {
        if (!chunked_) {
            piece.empty() ? encoder_.finish(wire) : encoder_.encode(piece, wire);
            return true;
        }
        if (piece.empty() ? left_ > 0 : piece.size() > left_) return false;
        left_ -= piece.size();
        wire += piece;
        return true;
    }

    // Nothing but the end may come. Until it has come well the chunk is not ended: content that
    // turns out damaged must not arrive.
    [[nodiscard]] bool waits_for_end() const noexcept { return chunked_ && left_ == 0; }

  private:
    bool chunked_;
    std::uint64_t left_;
    smtp::DataEncoder encoder_;
};

}  // namespace

class SmtpClientSession::ReplySink final : public OctetSink {
  public:
    explicit ReplySink(smtp::ReplyParser& parser) noexcept
        : parser_(parser) {}

    std::size_t take(std::string_view octets) override { return parser_.feed(octets); }

  private:
    smtp::ReplyParser& parser_;
};

SmtpClientSession::SmtpClientSession(
    std::unique_ptr<Connection> connection, std::string ehlo_name, Dialect dialect)
    : connection_(std::move(connection))
    , ehlo_name_(std::move(ehlo_name))
    , dialect_(dialect) {}

// ---- words and replies

Task<Result<smtp::PeerReply>> SmtpClientSession::command(std::string_view line, Duration patience) {
    wait_at_most(patience);
    const auto error = co_await connection_->write(line);
    // A peer that closed may have said why: what it said counts.
    if (error && !connection_->has_input()) co_return error;
    auto reply = co_await read_reply();
    co_return reply;
}

// The deadline is the caller's: it bounds the whole reply, however slowly it drips.
Task<Result<smtp::PeerReply>> SmtpClientSession::read_reply() {
    ReplySink sink(parser_);
    while (parser_.state() == smtp::ReplyParser::State::incomplete) {
        const auto error = co_await connection_->read_to(sink);
        if (error) co_return error;
    }
    if (parser_.state() == smtp::ReplyParser::State::failed) co_return ErrorCode(Error::syntax);
    auto reply = parser_.take();
    last_code_ = reply.code;
    co_return reply;
}

// ---- a transaction

Task<TransactionResult> SmtpClientSession::send(
    const smtp::MailTransaction& transaction, BodyReader& content) {
    TransactionResult result;
    smtp::ClientProtocol protocol(extensions_, transaction);
    ++transactions_;
    if (needs_reset_) {
        result.error = co_await reset();
    }
    while (protocol.next() != smtp::ClientProtocol::Next::finished && !result.error &&
           !result.body_error) {
        result.error = co_await advance(protocol, content, result);
    }
    if (protocol.must_close() && !result.error) {
        // For those without a reply: the peer said something that is no answer.
        result.error = Error::syntax;
    }
    result.outcomes = protocol.outcomes();
    const bool nothing_said = protocol.stage() == smtp::ClientStage::mail;
    for (auto& outcome : result.outcomes) {
        if (outcome.reply || protocol.must_close()) continue;
        // RFC 1047: with the whole message under way the peer may have it, whatever it said.
        outcome.stage = protocol.is_body_sent() ? smtp::ClientStage::end_of_data : protocol.stage();
    }
    const auto& first = result.outcomes.front();
    const bool refused = first.reply && first.reply->code == 421;
    // A peer that had the whole message would have answered MAIL before it closed.
    result.was_dead = (nothing_said || first.stage == smtp::ClientStage::mail) && result.error &&
                      result.error != Error::timed_out && (!first.reply || refused);
    needs_reset_ = protocol.needs_reset();
    // Octets nobody asked for: the next reply would be read as another one's.
    usable_ = !result.error && !result.body_error && !connection_->has_input();
    co_return result;
}

Task<ErrorCode> SmtpClientSession::advance(
    smtp::ClientProtocol& protocol, BodyReader& content, TransactionResult& result) {
    ErrorCode error;
    switch (protocol.next()) {
        case smtp::ClientProtocol::Next::write:
            error = co_await write_flight(protocol, content, result);
            break;
        case smtp::ClientProtocol::Next::read: {
            wait_at_most(patience_at(protocol.stage()));
            auto reply = co_await read_reply();
            if (reply.has_error()) {
                error = reply.error();
            } else {
                protocol.on_reply(*std::move(reply));
            }
            break;
        }
        case smtp::ClientProtocol::Next::send_body:
            error = co_await send_body(protocol, content, result);
            break;
        case smtp::ClientProtocol::Next::finished: break;
    }
    co_return error;
}

Task<ErrorCode> SmtpClientSession::write_flight(
    smtp::ClientProtocol& protocol, BodyReader& content, TransactionResult& result) {
    auto flight = protocol.take_flight();
    if (protocol.has_body_in_flight()) {
        flight += protocol.chunk_command();
        BodyForm form(protocol);
        bool ended = false;
        while (!ended) {
            const auto piece = co_await content.next();
            if (piece.has_error()) {
                result.body_error = piece.error();
                co_return ErrorCode();
            }
            ended = piece->empty();
            if (!form.add(*piece, flight)) {
                result.body_error = Error::corrupt;
                co_return ErrorCode();
            }
        }
    }
    wait_at_most(patience_at(protocol.stage()));
    const auto error = co_await connection_->write(flight);
    if (!error && protocol.has_body_in_flight()) protocol.on_body_sent();
    if (error && connection_->has_input()) co_return ErrorCode();
    co_return error;
}

// RFC 5321 §4.1.1.5
Task<ErrorCode> SmtpClientSession::reset() {
    const std::string_view line = "RSET\r\n";
    const auto reply = co_await command(line, smtp::kResetTimeout);
    if (reply.has_error()) co_return reply.error();
    // Attack case 40: a peer that refuses RSET is not to be trusted with the next envelope.
    if (!reply->is_completion()) co_return ErrorCode(Error::syntax);
    needs_reset_ = false;
    co_return ErrorCode();
}

Task<ErrorCode> SmtpClientSession::send_body(
    smtp::ClientProtocol& protocol, BodyReader& content, TransactionResult& result) {
    BodyForm form(protocol);
    std::string wire = protocol.is_chunked() ? protocol.chunk_command() : std::string();
    bool ended = false;
    while (!ended) {
        while (!ended && (wire.size() < kBodyPiece || form.waits_for_end())) {
            const auto piece = co_await content.next();
            if (piece.has_error()) {
                // No final dot: the peer drops what it has (RFC 5321 §4.1.1.4).
                result.body_error = piece.error();
                co_return ErrorCode();
            }
            ended = piece->empty();
            if (!form.add(*piece, wire)) {
                result.body_error = Error::corrupt;
                co_return ErrorCode();
            }
        }
        const auto error = co_await write_body(protocol, wire);
        if (error || protocol.next() == smtp::ClientProtocol::Next::finished) co_return error;
        wire.clear();
    }
    protocol.on_body_sent();
    co_return ErrorCode();
}

Task<ErrorCode> SmtpClientSession::write_body(
    smtp::ClientProtocol& protocol, std::string_view octets) {
    if (connection_->has_input()) {
        co_await take_early_reply(protocol);
        co_return ErrorCode();
    }
    wait_at_most(smtp::kDataBlockTimeout);
    const auto error = co_await connection_->write(octets);
    if (error && connection_->has_input()) {
        // The peer refused and closed before it had read all.
        co_await take_early_reply(protocol);
        co_return protocol.next() == smtp::ClientProtocol::Next::finished ? ErrorCode() : error;
    }
    co_return error;
}

// Decisions §2.7: replies are read whenever they are there, also while the body is written.
Task<void> SmtpClientSession::take_early_reply(smtp::ClientProtocol& protocol) {
    wait_at_most(smtp::kDataBlockTimeout);
    auto reply = co_await read_reply();
    if (reply.has_value()) protocol.on_early_reply(*reply);
}

// ---- the end

Task<void> SmtpClientSession::quit() {
    usable_ = false;
    connection_->expires_after(smtp::kQuitTimeout);
    const std::string_view line = "QUIT\r\n";
    const auto error = co_await connection_->write(line);
    if (error) {
        connection_->close();
        co_return;
    }
    // RFC 5321 §4.1.1.10 has the peer close after its 221; what it says does not matter any more.
    co_await connection_->finish(smtp::kQuitTimeout);
}

void SmtpClientSession::close() noexcept {
    if (std::exchange(usable_, false)) {
        connection_->close_with("QUIT\r\n");
    } else {
        connection_->close();
    }
}

}  // namespace mailflow
