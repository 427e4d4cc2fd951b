// The message of a receive session that has come whole: judged, made durable, answered.

#include "server/receive/receive_session.hpp"
#include "transport/mail/header_policy.hpp"
#include "transport/mail/submission_policy.hpp"
#include "transport/mail/trace_field.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// Longer ones would push the QueueId off the reply line.
constexpr std::size_t kMaxShownMessageId = 250;

}  // namespace

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

}  // namespace mailflow
