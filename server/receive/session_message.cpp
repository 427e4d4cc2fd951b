// The message of a receive session that has come whole: judged, made durable, answered.

#include "server/receive/message_facts.hpp"
#include "server/receive/receive_session.hpp"
#include "server/receive/sender_checks.hpp"
#include "transport/mail/header_policy.hpp"
#include "transport/mail/trace_field.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// Longer ones would push the QueueId off the reply line.
constexpr std::size_t kMaxShownMessageId = 250;

}  // namespace

// ---- judging

Task<ReceiveSession::Step> ReceiveSession::keep_message() {
    connection_.clear_deadline();  // what takes time now is ours
    verb_ = CountedVerb::message;
    auto& transaction = *transaction_;
    auto& body = *transaction.body;
    const auto accepted = clock().now();
    auto own_message_id = "<" + transaction.id.text() + "@" + transaction.rights.fqdn() + ">";
    const auto& rights = transaction.rights;
    auto context = header_context(
        rights, account_.get(), protocol_.envelope().reverse_path, own_message_id, accepted);
    auto verdict = check_message(rights, body.finish_scan());
    if (verdict.is_accepted() && must_judge_from(rights)) {
        verdict = co_await check_from(
            services().directory, rights, account_.get(), body.header(), context);
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

    const auto size = size_for_limits(body.writer()->size(), decision);
    auto request = categorize_request(decision, size, accepted);
    auto categorized =
        co_await categorize(services().directory, rights.organization, std::move(request));
    if (!categorized) {
        add(message_failed(categorized.error()));
        end_transaction(false);
        co_return Step::go_on;
    }
    if (must_refuse(transaction.rights, *categorized)) {
        refuse_message(refusal_of(*categorized->refusal, "nobody can have it"));
        co_return Step::go_on;
    }

    auto stored = co_await body.writer()->finish();
    if (!stored) {
        add(message_failed(stored.error()));
        end_transaction(false);
        co_return Step::go_on;
    }
    auto message = make_message(accepted, std::move(*stored), std::move(decision));
    const auto step = co_await commit_message(
        std::move(message), std::move(*categorized), std::move(own_message_id));
    co_return step;
}

Task<ReceiveSession::Step> ReceiveSession::commit_message(
    QueuedMessage message, Categorized categorized, std::string own_message_id) {
    auto message_id = message.content.facts.message_id;
    if (message_id.empty() || message_id.size() > kMaxShownMessageId) {
        message_id = std::move(own_message_id);
    }
    const auto notes = std::move(categorized.notes);
    const bool is_over = categorized.is_over();
    const auto limit = transaction_->rights.organization->transport().expansion_size_limit;
    auto submission =
        submission_of(std::move(message), std::move(categorized), limit, services().ids);
    const auto& first = submission.message;
    if (is_over) {
        // Deleted as the rules say, and tracked: there is nothing to keep.
        services().bodies.discard(first.id, first.content.body);
    } else {
        auto durable = submission;
        const auto committed = co_await services().store.commit(std::move(durable));
        if (!committed) {
            services().bodies.discard(first.id, first.content.body);
            add(message_failed(committed.error()));
            end_transaction(false);
            co_return Step::go_on;
        }
    }
    add(smtp::make_reply(
        250, "2.6.0", message_id + " [QueueId=" + first.id.text() + "] Queued mail for delivery"));
    track_received(first, message_id);
    track_notes(services().tracking, submission, notes);
    if (!is_over) {
        announce(std::move(submission));
    }
    end_transaction(true);
    co_return Step::go_on;
}

CategorizeRequest ReceiveSession::categorize_request(
    const HeaderDecision& decision, std::uint64_t size, UtcTime now) {
    auto& transaction = *transaction_;
    const auto& header = transaction.body->header();
    CategorizeRequest request;
    request.sender = sender_facts(transaction.rights, account_, protocol_.envelope().reverse_path);
    for (const auto& recipient : transaction.recipients) {
        transaction.named.push_back(recipient.path.text());
    }
    request.recipients = std::move(transaction.recipients);
    request.size = size;
    request.auto_submitted = auto_submitted_of(header, request.sender.path);
    request.header = &header;
    request.edits = decision.edits;
    request.prefix = make_trace(now) + decision.added;
    request.tools = transaction.tools.get();
    request.now = now;
    return request;
}

// ---- the message

// RFC 5321 §4.4. The recipient is named only when there was no other.
std::string ReceiveSession::make_trace(UtcTime accepted) const {
    const auto& envelope = protocol_.envelope();
    ReceivedTrace trace;
    trace.helo = protocol_.helo();
    trace.client = client_;
    trace.by = transaction_->rights.fqdn();
    trace.protocol = protocol_.with_keyword();
    trace.tls = tls_ == nullptr ? "" : tls_->text();
    trace.id = transaction_->id;
    trace.time = accepted;
    if (envelope.recipients.size() == 1) {
        trace.only_recipient = envelope.recipients.front();
    }
    return make_received(trace);
}

// Without what the categorizer says: its prefix, edits, recipients and variants.
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

    message.envelope.recipients.clear();  // they are in `recipients`, resolved
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

void ReceiveSession::announce(Submission submission) {
    for (auto& copy : submission.copies) {
        services().announce(std::make_shared<const QueuedMessage>(std::move(copy)));
    }
    services().announce(std::make_shared<const QueuedMessage>(std::move(submission.message)));
}

void ReceiveSession::track_received(const QueuedMessage& message, const std::string& message_id) {
    if (services().metrics != nullptr) {
        services().metrics->message_accepted(message.recipients.size(), message.content.size());
    }
    if (log().on(LogLevel::info)) {
        log().info(
            "message received",
            {{"id", message.id},
             {"message_id", message_id},
             {"sender", sender_text(message.envelope.reverse_path)},
             {"recipients", message.recipients.size()},
             {"size", message.content.body.length},
             {"client", client_.text()},
             {"helo", message.origin.helo},
             {"connector", message.origin.connector},
             {"account", message.origin.account},
             {"tls", message.origin.tls}});
    }
    TrackingEvent event;
    event.time = message.accepted;
    event.event = TrackingEventId::receive;
    event.queue_id = message.id;
    event.message_id = message_id;
    event.sender = sender_text(message.envelope.reverse_path);
    event.recipients = std::move(transaction_->named);
    event.connector = message.origin.connector;
    event.remote = message.origin.helo + " [" + client_.text() + "]";
    event.size = message.content.size();
    event.subject = message.content.facts.subject;
    services().tracking.append(std::move(event));
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

}  // namespace mailflow
