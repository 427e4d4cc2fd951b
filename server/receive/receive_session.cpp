#include "server/receive/receive_session.hpp"

#include "transport/base/error.hpp"
#include "transport/mail/trace_field.hpp"
#include "transport/queue/recipient_lookup.hpp"
#include "transport/smtp/limits.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// Replies of a pipelined group are written together, in pieces of at most about this size.
constexpr std::size_t kReplyBatch = 8 * 1024;
// What an idle session may keep of its reply buffer.
constexpr std::size_t kIdleReplyBuffer = 128;
// Recipients over the limit that are answered 452 before the session is closed (attack case 18).
constexpr std::uint32_t kMaxExcessRecipients = 1000;
// How long a client may take to end after our last reply.
constexpr Duration kFinishPatience = std::chrono::seconds(2);

constexpr std::string_view kIdleTimeout = "451 4.7.0 Timeout waiting for client input\r\n";
constexpr std::string_view kSessionTimeout =
    "421 4.4.2 Connection time limit exceeded, closing transmission channel\r\n";
constexpr std::string_view kStopping =
    "421 4.3.2 Service not available, closing transmission channel\r\n";

smtp::ReceiveProtocol::Settings protocol_settings(const Rights& rights, const IpAddress& client) {
    smtp::ReceiveProtocol::Settings settings;
    settings.fqdn = rights.fqdn();
    settings.client = client.text();
    settings.extensions.size = rights.max_message_size();
    settings.max_protocol_errors = rights.connector->max_protocol_errors;
    return settings;
}

std::string sender_text(const ReversePath& path) {
    return path.is_null() ? "<>" : path.text();
}

}  // namespace

ReceiveSession::ReceiveSession(
    ReceiveLane& lane, SessionHost& host, std::unique_ptr<Stream> stream, Rights rights)
    : lane_(lane)
    , host_(host)
    , connection_(lane.services.lane, std::move(stream))
    , rights_(std::move(rights))
    , counted_as_(rights_.connector->name)
    , protocol_(protocol_settings(rights_, connection_.remote().address))
    , started_(lane.services.lane.clock().monotonic()) {
    lane_.sessions.push_back(*this);
}

ReceiveSession::~ReceiveSession() {
    host_.session_ended(lane_.services.lane, counted_as_, client());
}

// ---- the loop

Task<void> ReceiveSession::run(std::unique_ptr<ReceiveSession> session) {
    // Attack case 10: who talks before the greeting does not listen.
    if (session->connection_.has_input()) {
        session->add(smtp::ReceiveProtocol::on_unauthorized_pipelining().reply);
        session->log().info("input before greeting", {{"client", session->client().text()}});
    } else {
        const auto& banner = session->rights_.connector->banner;
        session->out_ =
            banner.empty() ? "220 " + session->rights_.fqdn() + " ESMTP mailflow ready" : banner;
        session->out_ += "\r\n";
        co_await session->serve();
    }
    const auto error = co_await session->flush();
    // After QUIT nothing more comes that could turn our last words into a reset.
    const bool polite = session->quit_ && session->connection_.buffered() == 0;
    if (!error && !polite) {
        co_await session->connection_.finish(kFinishPatience);
    }
}

Task<void> ReceiveSession::serve() {
    for (;;) {
        auto step = Step::go_on;
        if (const auto line = connection_.buffered_line(smtp::kMaxCommandLine)) {
            step = on_line(*line);
        } else {
            if (is_stopping()) {
                out_ += kStopping;
                co_return;
            }
            set_command_deadline();
            const auto error = co_await flush();
            if (error) {
                co_return;
            }
            waiting_ = true;
            const auto next = co_await connection_.read_line(smtp::kMaxCommandLine);
            waiting_ = false;
            step = on_line(next);
        }
        if (step != Step::go_on && step != Step::finish && step != Step::drop) {
            step = co_await do_step(step);
        }
        if (step == Step::finish) {
            co_return;
        }
        if (step == Step::drop) {
            connection_.close();
            co_return;
        }
        if (out_.size() > kReplyBatch) {
            set_command_deadline();
            const auto error = co_await flush();
            if (error) {
                co_return;
            }
        }
    }
}

Task<ReceiveSession::Step> ReceiveSession::do_step(Step step) {
    auto result = Step::go_on;
    if (step == Step::recipient) {
        result = co_await judge_recipient();
    } else if (step == Step::rate) {
        result = co_await judge_rate();
    } else if (step == Step::data) {
        result = co_await receive_message();
    }
    co_return result;
}

ReceiveSession::Step ReceiveSession::on_line(const Result<std::string_view>& line) {
    if (!line && line.error() != Error::line_too_long) {
        log().debug(
            "connection ended", {{"client", client().text()}, {"reason", line.error().message()}});
        return Step::drop;
    }
    auto action = smtp::Action(smtp::Drop{});
    if (!line) {
        action = protocol_.on_line_too_long();
    } else if (connection_.last_line_was_bare()) {
        // RFC 5321 §2.3.8: a lone LF ends no line. The parser sees it as the control octet it is
        // and refuses.
        action = protocol_.on_command(std::string_view(line->data(), line->size() + 1));
    } else {
        action = protocol_.on_command(*line);
    }
    // RFC 2920 §3.1; attack case 10.
    if (protocol_.must_end_group() && connection_.buffered() > 0 &&
        !std::holds_alternative<smtp::Hangup>(action)) {
        log().info("unauthorized pipelining", {{"client", client().text()}});
        action = smtp::ReceiveProtocol::on_unauthorized_pipelining();
    }
    return perform(action);
}

ReceiveSession::Step ReceiveSession::perform(smtp::Action& action) {
    if (const auto* reply = std::get_if<smtp::SendReply>(&action)) {
        add(reply->reply);
        if (protocol_.phase() == smtp::Phase::greeted ||
            protocol_.phase() == smtp::Phase::connected) {
            transaction_.reset();  // RSET
        }
        return Step::go_on;
    }
    if (std::holds_alternative<smtp::CheckHelo>(action)) {
        add(protocol_.helo_accepted());
        transaction_.reset();
        return Step::go_on;
    }
    if (const auto* check = std::get_if<smtp::CheckSender>(&action)) {
        return judge_sender(check->mail);
    }
    if (auto* check = std::get_if<smtp::CheckRecipient>(&action)) {
        transaction_->asked.emplace(std::move(check->recipient.path));
        return Step::recipient;
    }
    if (const auto* data = std::get_if<smtp::ReceiveData>(&action)) {
        add(data->reply);
        return Step::data;
    }
    if (const auto* hangup = std::get_if<smtp::Hangup>(&action)) {
        add(hangup->reply);
        quit_ = hangup->reply.code == 221;
        return Step::finish;
    }
    log().info("foreign protocol", {{"client", client().text()}});
    return Step::drop;
}

// ---- MAIL

// The connector as it is configured now; as it was when it is gone.
void ReceiveSession::refresh_rights() {
    const auto& now = lane_.organization;
    if (now == nullptr || now == rights_.organization) {
        return;
    }
    for (const auto& connector : now->receive_connectors()) {
        if (connector.enabled && connector.name == counted_as_) {
            rights_ = Rights::of(now, connector);
            return;
        }
    }
}

ReceiveSession::Step ReceiveSession::judge_sender(const smtp::Mail& mail) {
    refresh_rights();
    auto verdict = check_sender(rights_, mail);
    if (lane_.store_failed && verdict.is_accepted()) {
        verdict = {local_failure(Error::store_failed), "store failed"};
    }
    if (!verdict.is_accepted()) {
        return refuse_sender(mail, verdict);
    }
    transaction_ = std::make_unique<Transaction>(rights_);
    if (rights_.connector->message_rate_limit) {
        return Step::rate;
    }
    add(protocol_.sender_accepted());
    return Step::go_on;
}

ReceiveSession::Step ReceiveSession::refuse_sender(const smtp::Mail& mail, const Verdict& verdict) {
    protocol_.sender_refused();
    add(*verdict.refusal);
    if (log().on(LogLevel::info)) {
        log().info(
            "sender refused",
            {{"client", client().text()},
             {"sender", sender_text(mail.path)},
             {"reply", verdict.refusal->one_line()},
             {"reason", verdict.reason}});
    }
    return Step::go_on;
}

Task<ReceiveSession::Step> ReceiveSession::judge_rate() {
    const auto& connector = *rights_.connector;
    const bool allowed = co_await host_.take_message_token(
        lane_.services.lane, connector.name, client(), *connector.message_rate_limit);
    if (allowed) {
        add(protocol_.sender_accepted());
        co_return Step::go_on;
    }
    transaction_.reset();
    add(rate_exceeded());
    log().info("sender refused", {{"client", client().text()}, {"reason", "message_rate_limit"}});
    co_return Step::finish;
}

// ---- RCPT

Task<ReceiveSession::Step> ReceiveSession::judge_recipient() {
    auto& transaction = *transaction_;
    const auto path = *std::exchange(transaction.asked, std::nullopt);
    auto verdict = check_recipient_count(transaction.rights, transaction.recipients.size());
    if (verdict.is_accepted()) {
        auto resolved = co_await look_up_recipient(
            lane_.services.directory, transaction.rights.organization, path);
        verdict = check_recipient(transaction.rights, resolved);
        if (verdict.is_accepted()) {
            accept_recipient(path, std::move(*resolved));
            co_return Step::go_on;
        }
    } else if (++transaction.excess > kMaxExcessRecipients) {
        add(smtp::make_reply(421, "4.5.3", "Too many recipients, closing transmission channel"));
        co_return Step::finish;
    }

    if (log().on(LogLevel::info)) {
        log().info(
            "recipient refused",
            {{"client", client().text()},
             {"sender", sender_text(protocol_.envelope().reverse_path)},
             {"recipient", path.text()},
             {"reply", verdict.refusal->one_line()},
             {"reason", verdict.reason}});
    }
    const auto tarpit = transaction.rights.connector->tarpit_interval;
    if (verdict.refusal->code >= 500 && tarpit.count() > 0 &&
        !transaction.rights.is_exempt(client())) {
        auto& lane = lane_.services.lane;
        connection_.clear_deadline();
        co_await lane.sleep_until(lane.clock().monotonic() + tarpit);
    }
    protocol_.recipient_refused();
    add(*verdict.refusal);
    co_return Step::go_on;
}

void ReceiveSession::accept_recipient(const ForwardPath& path, ResolvedRecipient resolved) {
    auto& recipients = transaction_->recipients;
    add(protocol_.recipient_accepted());
    const auto target =
        resolved.kind == ResolvedKind::mailbox ? RecipientTarget::mailbox : RecipientTarget::remote;
    // Given twice, or by two of its addresses: it gets one copy.
    const bool known = std::any_of(recipients.begin(), recipients.end(), [&](const auto& other) {
        return other.target == target && other.address == resolved.address;
    });
    if (known) {
        return;
    }
    auto recipient = QueuedRecipient{
        static_cast<std::uint32_t>(recipients.size()),
        target,
        std::move(resolved.address),
        path.text(),
        std::move(resolved.mailbox),
        RecipientState::ready,
        false,
        false,
        0,
        {},
        {},
        {}};
    recipients.push_back(std::move(recipient));
}

// ---- DATA

Task<ReceiveSession::Step> ReceiveSession::receive_message() {
    const auto id = lane_.services.ids.next();
    auto writer = co_await lane_.services.bodies.create(id);
    if (!writer) {
        out_.resize(out_.rfind("354 "));  // not yet written: the refusal takes its place
        fail_message(id, writer.error());
        co_return Step::go_on;
    }
    BodyReceiver body(std::move(*writer), transaction_->rights.max_message_size(), lane_.decoded);
    auto error = co_await flush();
    if (!error) {
        error = co_await receive_body(body);
    }
    if (error) {
        log().info(
            "message broken off",
            {{"id", id}, {"client", client().text()}, {"reason", error.message()}});
        co_return Step::drop;
    }
    if (!body.is_complete()) {
        refuse_message(id, check_message(transaction_->rights, body.finish_scan()));
        co_return Step::finish;
    }
    connection_.clear_deadline();
    const auto step = co_await keep_message(id, body);
    co_return step;
}

// Until the end, or until it is not worth waiting for.
Task<ErrorCode> ReceiveSession::receive_body(BodyReceiver& body) {
    const auto& connector = *transaction_->rights.connector;
    const auto& clock = lane_.services.lane.clock();
    const auto start = clock.monotonic();
    // Attack case 14: a client that keeps up kMinDataRate may take as long as it likes.
    constexpr std::uint64_t kMinDataRate = 500;  // octets a second
    connection_.set_last_words(kIdleTimeout);
    while (!body.is_complete() && !body.is_hopeless()) {
        const auto earned = std::chrono::seconds(body.octets() / kMinDataRate);
        const auto patience = connector.connection_inactivity_timeout;
        connection_.set_deadline(std::min(clock.monotonic() + patience, start + patience + earned));
        const auto error = co_await connection_.read_to(body);
        if (error) {
            co_return error;
        }
    }
    co_return ErrorCode();
}

Task<ReceiveSession::Step> ReceiveSession::keep_message(QueueId id, BodyReceiver& body) {
    const auto verdict = check_message(transaction_->rights, body.finish_scan());
    if (!verdict.is_accepted()) {
        refuse_message(id, verdict);
        co_return Step::go_on;
    }
    auto stored = co_await body.writer()->finish();
    if (!stored) {
        fail_message(id, stored.error());
        co_return Step::go_on;
    }
    const auto ref = stored->ref;
    const auto message =
        std::make_shared<const QueuedMessage>(make_message(id, body, std::move(*stored)));
    auto submission = Submission{*message};
    const auto committed = co_await lane_.services.store.commit(std::move(submission));
    if (!committed) {
        lane_.services.bodies.discard(id, ref);
        fail_message(id, committed.error());
        co_return Step::go_on;
    }

    auto message_id = message->content.facts.message_id;
    // Long ones would push the QueueId off the reply line.
    constexpr std::size_t kMaxShownMessageId = 250;
    if (message_id.empty() || message_id.size() > kMaxShownMessageId) {
        message_id = "<" + id.text() + "@" + transaction_->rights.fqdn() + ">";
    }
    add(smtp::make_reply(
        250, "2.6.0", message_id + " [QueueId=" + id.text() + "] Queued mail for delivery"));
    announce(message, message_id);
    end_transaction(true);
    co_return Step::go_on;
}

QueuedMessage ReceiveSession::make_message(QueueId id, BodyReceiver& body, StoredBody stored) {
    const auto& clock = lane_.services.lane.clock();
    QueuedMessage message;
    message.id = id;
    message.accepted = clock.now();
    message.origin = {
        transaction_->rights.connector->name, protocol_.helo(), client(), protocol_.with_keyword()};
    message.envelope = protocol_.take_envelope();
    message.recipients = std::move(transaction_->recipients);

    // RFC 5321 §4.4. The recipient is named only when there was no other.
    ReceivedTrace trace;
    trace.helo = message.origin.helo;
    trace.client = client();
    trace.by = transaction_->rights.fqdn();
    trace.protocol = message.origin.protocol;
    trace.id = id;
    trace.time = message.accepted;
    if (message.envelope.recipients.size() == 1) {
        trace.only_recipient = message.envelope.recipients.front();
    }
    message.envelope.recipients.clear();  // they are in `recipients`, resolved
    message.content.prefix = make_received(trace);
    message.content.body = stored.ref;
    message.content.facts = std::move(body.content());
    message.body = std::move(stored.bytes);
    return message;
}

void ReceiveSession::announce(QueuedMessagePtr message, const std::string& message_id) {
    if (log().on(LogLevel::info)) {
        log().info(
            "message received",
            {{"id", message->id},
             {"message_id", message_id},
             {"sender", sender_text(message->envelope.reverse_path)},
             {"recipients", message->recipients.size()},
             {"size", message->content.body.length},
             {"client", client().text()},
             {"helo", message->origin.helo},
             {"connector", message->origin.connector}});
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
    event.remote = message->origin.helo + " [" + client().text() + "]";
    event.size = message->content.size();
    event.subject = message->content.facts.subject;
    lane_.services.tracking.append(std::move(event));
    lane_.services.announce(std::move(message));
}

void ReceiveSession::refuse_message(QueueId id, const Verdict& verdict) {
    log().info(
        "message refused",
        {{"id", id},
         {"client", client().text()},
         {"reply", verdict.refusal->one_line()},
         {"reason", verdict.reason}});
    add(*verdict.refusal);
    end_transaction(false);
}

void ReceiveSession::fail_message(QueueId id, const ErrorCode& error) {
    lane_.store_failed = lane_.store_failed || error == Error::store_failed;
    log().error(
        "message not stored",
        {{"id", id}, {"client", client().text()}, {"reason", error.message()}});
    add(local_failure(error));
    end_transaction(false);
}

void ReceiveSession::end_transaction(bool taken) {
    protocol_.end_transaction(taken);
    transaction_.reset();
}

// ---- writing, waiting, stopping

void ReceiveSession::add(const smtp::Reply& reply) {
    reply.append_to(out_);
}

Task<ErrorCode> ReceiveSession::flush() {
    std::string_view rest = out_;
    auto error = connection_.try_write(rest);
    if (error == Error::would_block) {
        error = co_await connection_.write(rest);
    }
    out_.clear();
    if (out_.capacity() > kIdleReplyBuffer) {
        std::string().swap(out_);
    }
    co_return error;
}

void ReceiveSession::set_command_deadline() {
    const auto now = lane_.services.lane.clock().monotonic();
    const auto idle = now + rights_.connector->connection_inactivity_timeout;
    // Inside a transaction the whole session's time does not count: only the client's silence does.
    const auto whole = started_ + rights_.connector->connection_timeout;
    const bool by_session = transaction_ == nullptr && whole < idle;
    connection_.set_last_words(by_session ? kSessionTimeout : kIdleTimeout);
    connection_.set_deadline(by_session ? whole : idle);
}

void ReceiveSession::stop() {
    stopping_ = true;
    if (waiting_) {
        connection_.close_with(kStopping);
    }
}

void ReceiveSession::abort() {
    connection_.close();
}

}  // namespace mailflow
