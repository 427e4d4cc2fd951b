// DATA and BDAT of a receive session: receives the message, judges it, makes it durable, answers.

#include "server/receive/receive_session.hpp"
#include "transport/base/error.hpp"
#include "transport/mail/header_policy.hpp"
#include "transport/mail/submission_policy.hpp"
#include "transport/mail/trace_field.hpp"

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

std::string sender_text(const ReversePath& path) {
    return path.is_null() ? "<>" : path.text();
}

constexpr std::string_view kIdleTimeout = "451 4.7.0 Timeout waiting for client input\r\n";

}  // namespace

// ---- receiving

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
    rules.wishes = wishes_for(header_context({}, {}));
    if (must_judge_from()) {
        rules.wishes.places |= bit(FieldKind::from);
        rules.wishes.texts |= bit(FieldKind::from);
    }
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

// ---- judging

bool ReceiveSession::must_judge_from() const noexcept {
    const auto& rights = transaction_->rights;
    if (rights.standing == Standing::authenticated) {
        return rights.is_bound_to_account() &&
               rights.connector->sender_policy != SenderPolicy::ignore;
    }
    return !has(rights.permissions, Permission::authoritative_domain_sender);
}

// The views live as long as the transaction, and `message_id`.
HeaderContext ReceiveSession::header_context(std::string_view message_id, UtcTime time) const {
    const auto& rights = transaction_->rights;
    HeaderContext context;
    context.names = {rights.organization->node().fqdn, rights.connector->fqdn};
    context.accept_organization_headers =
        has(rights.permissions, Permission::accept_organization_headers);
    context.accept_routing_headers = has(rights.permissions, Permission::accept_routing_headers);
    if (rights.connector->submission) {
        auto& submission = context.submission.emplace();
        submission.default_domain = rights.default_domain();
        submission.message_id = message_id;
        submission.time = time;
        submission.reverse_path = protocol_.envelope().reverse_path;
        submission.sender_policy = rights.connector->sender_policy;
        if (rights.is_bound_to_account()) {
            submission.account = account_->primary();
        }
    }
    return context;
}

// Reference 2.6: From is checked like MAIL. Who logged in says its own addresses there, or what the
// connector's sender policy makes of others; who may not claim our domains may not claim them here.
Task<Verdict> ReceiveSession::judge_from(HeaderContext& context) {
    const auto& rights = transaction_->rights;
    const SubmissionContext plain;
    const auto claimed = claimed_senders(
        transaction_->body->header(), context.submission ? *context.submission : plain);
    bool granted = claimed.is_whole;
    for (const auto& address : claimed.addresses) {
        if (rights.standing != Standing::authenticated) {
            const auto* const domain =
                address.domain() ? rights.organization->find_accepted_domain(*address.domain())
                                 : nullptr;
            if (domain != nullptr && domain->type == AcceptedDomainType::authoritative) {
                co_return send_as_refused("From: no right authoritative-domain-sender");
            }
            continue;
        }
        const auto verdict = co_await check_account(address);
        if (!verdict.is_accepted() && verdict.refusal->is_temporary()) {
            co_return verdict;
        }
        granted = granted && verdict.is_accepted();
    }
    if (context.submission) {
        context.submission->from_is_granted = granted;
        co_return Verdict::accept();
    }
    // Only a submission connector could put the header right.
    if (rights.standing == Standing::authenticated && !granted) {
        co_return send_as_refused("From is not the account's");
    }
    co_return Verdict::accept();
}

Task<ReceiveSession::Step> ReceiveSession::keep_message() {
    connection_.clear_deadline();  // what takes time now is ours
    verb_ = CountedVerb::message;
    auto& transaction = *transaction_;
    auto& body = *transaction.body;
    const auto accepted = clock().now();
    const auto own_message_id = "<" + transaction.id.text() + "@" + transaction.rights.fqdn() + ">";
    auto context = header_context(own_message_id, accepted);
    auto verdict = check_message(transaction.rights, body.finish_scan());
    if (verdict.is_accepted() && must_judge_from()) {
        verdict = co_await judge_from(context);
    }
    HeaderDecision decision;
    if (verdict.is_accepted()) {
        decision = decide_header(body.header(), context);
        verdict = header_verdict(decision);
    }
    if (!verdict.is_accepted()) {
        refuse_message(verdict);
        co_return Step::go_on;
    }

    auto stored = co_await body.writer()->finish();
    if (!stored) {
        add(message_failed(stored.error()));
        end_transaction(false);
        co_return Step::go_on;
    }
    const auto ref = stored->ref;
    const auto message = std::make_shared<const QueuedMessage>(
        make_message(accepted, std::move(*stored), std::move(decision)));
    auto submission = Submission{*message};
    const auto committed = co_await services().store.commit(std::move(submission));
    if (!committed) {
        services().bodies.discard(transaction.id, ref);
        add(message_failed(committed.error()));
        end_transaction(false);
        co_return Step::go_on;
    }

    auto message_id = message->content.facts.message_id;
    // Long ones would push the QueueId off the reply line.
    constexpr std::size_t kMaxShownMessageId = 250;
    if (message_id.empty() || message_id.size() > kMaxShownMessageId) {
        message_id = own_message_id;
    }
    add(smtp::make_reply(
        250,
        "2.6.0",
        message_id + " [QueueId=" + message->id.text() + "] Queued mail for delivery"));
    announce(message, message_id);
    end_transaction(true);
    co_return Step::go_on;
}

// ---- the message

QueuedMessage ReceiveSession::make_message(
    UtcTime accepted, StoredBody stored, HeaderDecision decision) {
    auto& transaction = *transaction_;
    const auto& rights = transaction.rights;
    QueuedMessage message;
    message.id = transaction.id;
    message.accepted = accepted;
    message.origin = {
        rights.connector->name,
        protocol_.helo(),
        client_,
        protocol_.with_keyword(),
        account_ == nullptr ? "" : account_->name,
        tls_ == nullptr ? "" : tls_->text(),
        has(rights.permissions, Permission::accept_organization_headers)};
    message.envelope = protocol_.take_envelope();
    complete_envelope(message.envelope);
    message.recipients = std::move(transaction.recipients);

    // RFC 5321 §4.4. The recipient is named only when there was no other.
    ReceivedTrace trace;
    trace.helo = message.origin.helo;
    trace.client = client_;
    trace.by = rights.fqdn();
    trace.protocol = message.origin.protocol;
    trace.tls = message.origin.tls;
    trace.id = message.id;
    trace.time = message.accepted;
    if (message.envelope.recipients.size() == 1) {
        trace.only_recipient = message.envelope.recipients.front();
    }
    message.envelope.recipients.clear();  // they are in `recipients`, resolved
    message.content.prefix = make_received(trace);
    message.content.body = stored.ref;
    message.content.facts = std::move(transaction.body->content());
    std::move(decision).apply_to(message.content);
    message.body = std::move(stored.bytes);
    return message;
}

// What MAIL asked for, as far as this client may.
void ReceiveSession::complete_envelope(Envelope& envelope) const {
    const auto& rights = transaction_->rights;
    if (transaction_->lowered_priority) {
        envelope.priority = 0;
    }
    // RFC 4954 §5: who is not trusted is not believed; and whose message this is is known when its
    // author hands it in.
    if (!rights.is_known()) {
        envelope.authenticated_sender.clear();
    } else if (
        envelope.authenticated_sender.empty() && rights.connector->submission &&
        account_ != nullptr) {
        envelope.authenticated_sender = account_->primary().text();
    }
}

void ReceiveSession::announce(QueuedMessagePtr message, const std::string& message_id) {
    if (services().metrics != nullptr) {
        services().metrics->message_accepted(message->recipients.size(), message->content.size());
    }
    if (log().on(LogLevel::info)) {
        log().info(
            "message received",
            {{"id", message->id},
             {"message_id", message_id},
             {"sender", sender_text(message->envelope.reverse_path)},
             {"recipients", message->recipients.size()},
             {"size", message->content.body.length},
             {"client", client_.text()},
             {"helo", message->origin.helo},
             {"connector", message->origin.connector},
             {"account", message->origin.account},
             {"tls", message->origin.tls}});
    }
    TrackingEvent event;
    event.time = message->accepted;
    event.event = TrackingEventId::receive;
    event.queue_id = message->id;
    event.message_id = message_id;
    event.sender = sender_text(message->envelope.reverse_path);
    event.recipients.reserve(message->recipients.size());
    for (const auto& recipient : message->recipients) {
        event.recipients.push_back(recipient.original);
    }
    event.connector = message->origin.connector;
    event.remote = message->origin.helo + " [" + client_.text() + "]";
    event.size = message->content.size();
    event.subject = message->content.facts.subject;
    services().tracking.append(std::move(event));
    services().announce(std::move(message));
}

void ReceiveSession::log_refusal(const Verdict& verdict) {
    count_refusal(verdict.reason);
    note("message refused", verdict.reason);
    log().info(
        "message refused",
        {{"id", transaction_->id},
         {"client", client_.text()},
         {"reply", verdict.refusal->one_line()},
         {"reason", verdict.reason}});
}

void ReceiveSession::refuse_message(const Verdict& verdict) {
    log_refusal(verdict);
    add(*verdict.refusal);
    end_transaction(false);
}

// A port failed us; what the client is told.
smtp::Reply ReceiveSession::message_failed(const ErrorCode& error) {
    lane_.store_failed = lane_.store_failed || error == Error::store_failed;
    log().error(
        "message not stored",
        {{"id", transaction_->id}, {"client", client_.text()}, {"reason", error.message()}});
    return local_failure(error);
}

void ReceiveSession::end_transaction(bool taken) {
    protocol_.end_transaction(taken);
    transaction_.reset();
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
