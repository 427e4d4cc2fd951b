// DATA and BDAT of a receive session up to the last octet: the body receiver, deadlines, chunks.

#include "server/receive/receive_session.hpp"
#include "server/receive/sender_checks.hpp"
#include "transport/base/error.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// For a chunk nobody wants.
class ChunkDropper final : public OctetSink {
  public:
    explicit ChunkDropper(std::uint64_t left) noexcept
        : left_(left) {}

    std::size_t take(std::string_view octets) override {
        const auto taken = std::min<std::uint64_t>(octets.size(), left_);
        left_ -= taken;
        return static_cast<std::size_t>(taken);
    }

    [[nodiscard]] bool is_complete() const noexcept { return left_ == 0; }

    [[nodiscard]] std::uint64_t left() const noexcept { return left_; }

  private:
    std::uint64_t left_;
};

}  // namespace

Task<ReceiveSession::Step> ReceiveSession::receive_message(smtp::Reply go_ahead) {
    auto error = co_await open_body(BodyReceiver::Framing::dot);
    if (error) {
        add(message_failed(error));
        end_transaction(false);
        co_return Step::go_on;
    }
    add(go_ahead);
    auto& body = *transaction_->body;
    error = co_await flush();
    if (!error) {
        error = co_await receive_body(body);
    }
    if (error) {
        co_return lost(error);
    }
    if (!body.is_complete()) {
        refuse_message(check_message(transaction_->rights, body.finish_scan()));
        outcome_ = SessionOutcome::closed;
        co_return Step::finish;
    }
    const auto step = co_await keep_message();
    co_return step;
}

// RFC 3030 §2. Attack case 13: whatever is answered, exactly the announced octets are taken.
Task<ReceiveSession::Step> ReceiveSession::receive_chunk(smtp::ReceiveChunk chunk) {
    auto& transaction = *transaction_;
    if (transaction.body == nullptr) {
        const auto failed = co_await open_body(BodyReceiver::Framing::chunks);
        if (failed) {
            auto reply = message_failed(failed);
            const auto step = co_await refuse_chunk(chunk, std::move(reply));
            co_return step;
        }
    }
    auto& body = *transaction.body;
    auto fits = check_chunk(transaction.rights, body.octets(), chunk.size);
    if (!fits.is_accepted()) {
        log_refusal(fits);
        const auto step = co_await refuse_chunk(chunk, std::move(*fits.refusal));
        co_return step;
    }

    body.begin_chunk(chunk.size, chunk.last);
    auto error = ErrorCode();
    if (connection_.buffered() < chunk.size) {
        error = co_await flush();
    }
    if (!error) {
        error = co_await receive_body(body);
    }
    if (error) {
        co_return lost(error);
    }
    if (!chunk.last) {
        add(protocol_.chunk_received(chunk.size));
        co_return Step::go_on;
    }
    const auto step = co_await keep_message();
    co_return step;
}

// After the last one the transaction is over; before it the chunks to come are refused too.
Task<ReceiveSession::Step> ReceiveSession::refuse_chunk(
    smtp::ReceiveChunk chunk, smtp::Reply reply) {
    if (chunk.last) {
        end_transaction(false);
    } else {
        protocol_.chunk_refused();
        transaction_->body.reset();
    }
    const auto step = co_await discard_chunk(chunk.size, std::move(reply));
    co_return step;
}

Task<ReceiveSession::Step> ReceiveSession::discard_chunk(std::uint64_t size, smtp::Reply reply) {
    ChunkDropper dropper(size);
    auto error = ErrorCode();
    if (connection_.buffered() < size) {
        error = co_await flush();
    }
    const auto start = clock().monotonic();
    connection_.set_last_words(kIdleTimeout);
    while (!error && !dropper.is_complete()) {
        connection_.set_deadline(octets_deadline(start, size - dropper.left()));
        error = co_await connection_.read_to(dropper);
    }
    if (error) {
        co_return lost(error);
    }
    note_content(size);
    add(reply);
    if (protocol_.phase() == smtp::Phase::greeted) {
        transaction_.reset();  // the last chunk
    }
    co_return Step::go_on;
}

// The body receiver of the transaction, and its writer.
Task<ErrorCode> ReceiveSession::open_body(BodyReceiver::Framing framing) {
    auto& transaction = *transaction_;
    transaction.id = services().ids.next();
    auto writer = co_await services().bodies.create(transaction.id);
    if (!writer) {
        co_return writer.error();
    }
    const auto& connector = *transaction.rights.connector;
    BodyReceiver::Rules rules;
    rules.framing = framing;
    rules.body = protocol_.envelope().body;
    rules.bare_newlines = connector.bare_newline == BareNewline::normalize
                              ? smtp::BareNewlines::normalize
                              : smtp::BareNewlines::reject;
    rules.max_size = transaction.rights.max_message_size();
    rules.header.max_header_size = connector.max_header_size;
    rules.wishes =
        header_wishes(transaction.rights, account_.get(), protocol_.envelope().reverse_path);
    add_categorizer_wishes(
        sender_facts(transaction.rights, account_, protocol_.envelope().reverse_path),
        *transaction.rights.organization,
        transaction.recipients,
        rules.wishes);
    transaction.body = std::make_unique<BodyReceiver>(
        std::move(*writer), rules, clock().monotonic(), lane_.decoded);
    co_return ErrorCode();
}

// Until the end, or until it is not worth waiting for.
Task<ErrorCode> ReceiveSession::receive_body(BodyReceiver& body) {
    connection_.set_last_words(kIdleTimeout);
    const auto before = body.octets();
    while (!body.is_complete() && !body.is_hopeless()) {
        connection_.set_deadline(body_deadline(body));
        const auto error = co_await connection_.read_to(body);
        if (error) {
            log().info(
                "message broken off",
                {{"id", transaction_->id},
                 {"client", client_.text()},
                 {"reason", error.message()}});
            co_return error;
        }
    }
    note_content(body.octets() - before);
    co_return ErrorCode();
}

// Attack case 14: a client that keeps up min_data_rate may take as long as it likes.
MonotonicTime ReceiveSession::octets_deadline(MonotonicTime start, std::uint64_t octets) const {
    const auto& connector = *rights_.connector;
    const auto patience = connector.connection_inactivity_timeout;
    const auto idle = clock().monotonic() + patience;
    if (connector.min_data_rate == 0) {
        return idle;
    }
    const auto earned = std::chrono::seconds(octets / connector.min_data_rate);
    return std::min<MonotonicTime>(idle, start + patience + earned);
}

MonotonicTime ReceiveSession::body_deadline(const BodyReceiver& body) const {
    return octets_deadline(body.started(), body.octets());
}

void ReceiveSession::note_content(std::uint64_t octets) {
    if (services().metrics != nullptr) {
        services().metrics->received(octets);
    }
    if (protocol_log_ != nullptr) {
        protocol_log_->received_content(octets);
    }
}

}  // namespace mailflow
