#include "server/receive/receive_session.hpp"

#include "server/receive/bare_address.hpp"
#include "transport/base/error.hpp"
#include "transport/smtp/limits.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace mailflow {

namespace {

// Replies of a pipelined group are written together, in pieces of at most about this size.
constexpr std::size_t kReplyBatch = 8UL * 1024;
// What an idle session may keep of its reply buffer.
constexpr std::size_t kIdleReplyBuffer = 128;
// How long a client may take to end after our last reply.
constexpr Duration kFinishPatience = std::chrono::seconds(2);

constexpr std::string_view kSessionTimeout =
    "421 4.4.2 Connection time limit exceeded, closing transmission channel\r\n";
constexpr std::string_view kStopping =
    "421 4.3.2 Service not available, closing transmission channel\r\n";

constexpr std::string_view kBannerCode = "220 ";

}  // namespace

ReceiveSession::ReceiveSession(
    ReceiveLane& lane, SessionHost& host, std::unique_ptr<Stream> stream, Arrival arrival)
    : lane_(lane)
    , host_(host)
    , connection_(lane.services.lane, std::move(stream))
    , rights_(std::move(arrival.rights))
    , bound_(arrival.bound)
    , counted_as_(rights_.connector->name)
    , client_(connection_.remote().address)
    , protocol_(protocol_settings())
    , started_(clock().monotonic()) {
    lane_.sessions.push_back(*this);
    if (services().metrics != nullptr) {
        services().metrics->session_started();
    }
    if (services().protocol_log != nullptr) {
        protocol_log_ = services().protocol_log->open_session(
            *rights_.connector, connection_.local(), connection_.remote());
    }
    if (protocol_log_ != nullptr) {
        protocol_log_->connected();
    }
}

ReceiveSession::~ReceiveSession() {
    if (protocol_log_ != nullptr) {
        protocol_log_->disconnected(connection_.is_expired() ? "timed out" : "");
    }
    if (services().metrics != nullptr) {
        const auto outcome = connection_.is_expired() ? SessionOutcome::timed_out : outcome_;
        services().metrics->session_ended(kind_of(*rights_.connector), outcome);
    }
    host_.session_ended(services().lane, counted_as_, connection_.remote().address);
}

smtp::ReceiveProtocol::Settings ReceiveSession::protocol_settings() const {
    smtp::ReceiveProtocol::Settings settings;
    const auto& connector = *rights_.connector;
    settings.fqdn = rights_.fqdn();
    settings.client = client_.text();
    settings.max_protocol_errors = connector.max_protocol_errors;
    settings.requires_tls = connector.tls == TlsMode::required;
    settings.without_auth = connector.auth_mechanisms == 0 || services().authenticator == nullptr;
    settings.requires_ehlo_domain = connector.require_ehlo_domain;
    settings.max_chunk = max_chunk(rights_);
    if (connector.banner.size() > kBannerCode.size()) {
        settings.banner = connector.banner.substr(kBannerCode.size());
    }
    return settings;
}

// ---- the loop

Task<void> ReceiveSession::run(std::unique_ptr<ReceiveSession> session) {
    auto& self = *session;
    if (self.rights_.connector->tls == TlsMode::implicit) {
        const auto step = co_await self.begin_implicit_tls();
        if (step == Step::drop) {
            self.connection_.close();
            co_return;
        }
    }
    // Attack case 10: who talks before the greeting does not listen.
    if (self.connection_.has_input()) {
        self.outcome_ = SessionOutcome::closed;
        self.add(smtp::ReceiveProtocol::on_unauthorized_pipelining().reply);
        self.count_refusal("input before greeting");
        self.log().info("input before greeting", {{"client", self.client_.text()}});
    } else {
        self.greet();
        co_await self.serve();
    }
    const auto error = co_await self.flush();
    // After QUIT nothing more comes that could turn our last words into a reset.
    const bool polite = self.outcome_ == SessionOutcome::quit && self.connection_.buffered() == 0;
    if (!error && !polite) {
        co_await self.connection_.finish(kFinishPatience);
    }
}

void ReceiveSession::greet() {
    const auto& banner = rights_.connector->banner;
    out_ = banner.empty() ? "220 " + rights_.fqdn() + " ESMTP mailflow ready" : banner;
    out_ += "\r\n";
}

Task<void> ReceiveSession::serve() {
    for (;;) {
        const auto limit = protocol_.max_line();
        auto line = connection_.buffered_line(limit);
        if (!line) {
            if (is_stopping()) {
                outcome_ = SessionOutcome::stopped;
                out_ += kStopping;
                co_return;
            }
            set_command_deadline();
            const auto error = co_await flush();
            if (error) {
                co_return;
            }
            waiting_ = true;
            const auto next = co_await connection_.read_line(limit);
            waiting_ = false;
            line = next;
        }
        auto action = next_action(*line);
        auto step = perform(action);
        if (step == Step::wait) {
            step = co_await proceed(action);
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

// A line that did not come is a Drop.
smtp::Action ReceiveSession::next_action(const Result<std::string_view>& line) {
    if (!line && line.error() != Error::line_too_long) {
        log().debug(
            "connection ended", {{"client", client_.text()}, {"reason", line.error().message()}});
        return smtp::Drop{};
    }
    if (services().metrics != nullptr) {
        services().metrics->received(line ? line->size() + 2 : 0);
        verb_ = !line                                    ? CountedVerb::other
                : protocol_.phase() == smtp::Phase::auth ? CountedVerb::auth
                                                         : counted_verb(*line);
    }
    if (protocol_log_ != nullptr) {
        protocol_log_->received(line ? *line : std::string_view("(line too long)"));
    }
    auto action = line ? give_to_protocol(*line) : protocol_.on_line_too_long();
    if (std::holds_alternative<smtp::Drop>(action)) {
        // Attack case 9.
        outcome_ = SessionOutcome::closed;
        count_refusal("foreign protocol");
        log().info("foreign protocol", {{"client", client_.text()}});
        return action;
    }
    // RFC 2920 §3.1; attack cases 4 and 10. Behind STARTTLS nothing may come before our 220, not
    // even in a segment of its own.
    const bool overrun =
        protocol_.must_end_group() &&
        (connection_.buffered() > 0 ||
         (std::holds_alternative<smtp::BeginTls>(action) && connection_.has_input()));
    if (overrun && !std::holds_alternative<smtp::Hangup>(action)) {
        log().info("unauthorized pipelining", {{"client", client_.text()}});
        count_refusal("unauthorized pipelining");
        return smtp::ReceiveProtocol::on_unauthorized_pipelining();
    }
    // Attack case 15.
    if (is_stressed() && protocol_.protocol_errors() > kStressedErrors) {
        return smtp::Hangup{smtp::make_reply(
            421, "4.7.0", "Too many errors on this connection, closing transmission channel")};
    }
    return action;
}

smtp::Action ReceiveSession::give_to_protocol(std::string_view line) {
    if (connection_.last_line_was_bare()) {
        // RFC 5321 §2.3.8: a lone LF ends no line. The parser sees it as the control octet it is
        // and refuses.
        return protocol_.on_command(std::string_view(line.data(), line.size() + 1));
    }
    if (rights_.connector->submission && protocol_.phase() != smtp::Phase::auth) {
        if (const auto completed = complete_bare_address(line, rights_.default_domain())) {
            return protocol_.on_command(*completed);
        }
    }
    return protocol_.on_command(line);
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
        refresh_rights();
        update_extensions();
        add(protocol_.helo_accepted());
        transaction_.reset();
        return Step::go_on;
    }
    if (const auto* check = std::get_if<smtp::CheckSender>(&action)) {
        return judge_sender_at_once(check->mail);
    }
    if (const auto* cancelled = std::get_if<smtp::AuthCancelled>(&action)) {
        cancel_auth();
        add(cancelled->reply);
        return Step::go_on;
    }
    if (const auto* hangup = std::get_if<smtp::Hangup>(&action)) {
        return hang_up(hangup->reply);
    }
    if (std::holds_alternative<smtp::Drop>(action)) {
        return Step::drop;
    }
    return Step::wait;
}

// For actions that wait for somebody: who does it.
struct ReceiveSession::Proceed {
    ReceiveSession& self;

    Task<Step> operator()(smtp::CheckSender& check) const { return self.judge_sender(check.mail); }

    Task<Step> operator()(smtp::CheckRecipient& check) const {
        return self.judge_recipient(check.recipient);
    }

    Task<Step> operator()(smtp::CheckName& check) const { return self.answer_name(check); }

    Task<Step> operator()(smtp::BeginTls& begin) const {
        return self.begin_tls(std::move(begin.reply));
    }

    Task<Step> operator()(smtp::BeginAuth& begin) const { return self.begin_auth(begin); }

    Task<Step> operator()(smtp::AuthResponse& response) const {
        return self.continue_auth(std::move(response.octets));
    }

    Task<Step> operator()(smtp::ApplyXclient& xclient) const {
        return self.apply_xclient(xclient.attributes);
    }

    Task<Step> operator()(smtp::ReceiveData& data) const {
        return self.receive_message(std::move(data.reply));
    }

    Task<Step> operator()(smtp::ReceiveChunk& chunk) const { return self.receive_chunk(chunk); }

    Task<Step> operator()(smtp::DiscardChunk& chunk) const {
        return self.discard_chunk(chunk.size, std::move(chunk.reply));
    }

    template <class Quick>
    Task<Step> operator()(Quick&) const {
        throw std::logic_error("this action does not wait");
    }
};

// The second half of `perform`. No coroutine itself: a command costs one frame at most.
Task<ReceiveSession::Step> ReceiveSession::proceed(smtp::Action& action) {
    return std::visit(Proceed{*this}, action);
}

ReceiveSession::Step ReceiveSession::hang_up(const smtp::Reply& reply) {
    add(reply);
    outcome_ = reply.code == 221 ? SessionOutcome::quit : SessionOutcome::closed;
    return Step::finish;
}

// The connection broke while something was under way.
ReceiveSession::Step ReceiveSession::lost(const ErrorCode& error) {
    log().debug("connection ended", {{"client", client_.text()}, {"reason", error.message()}});
    return Step::drop;
}

// ---- writing, waiting, stopping

void ReceiveSession::add(const smtp::Reply& reply) {
    if (services().metrics != nullptr) {
        services().metrics->replied(verb_, reply.code);
    }
    if (rights_.connector->extensions.enhanced_status_codes) {
        reply.append_to(out_);
    } else {
        // RFC 2034 §4: codes are for those to whom they were announced.
        smtp::Reply{reply.code, {}, reply.text}.append_to(out_);
    }
}

Task<ErrorCode> ReceiveSession::flush() {
    if (protocol_log_ != nullptr && !out_.empty()) {
        protocol_log_->sent(out_);
    }
    if (services().metrics != nullptr) {
        services().metrics->sent(out_.size());
    }
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

bool ReceiveSession::is_stressed() const noexcept {
    return !lane_.stressed.empty() && rights_.standing == Standing::anonymous &&
           !rights_.is_exempt(client_) && lane_.stressed.contains(counted_as_);
}

void ReceiveSession::set_command_deadline() {
    const auto now = clock().monotonic();
    auto idle = now + rights_.connector->connection_inactivity_timeout;
    if (is_stressed()) {
        idle = std::min<MonotonicTime>(idle, now + kStressedPatience);
    }
    if (transaction_ != nullptr && transaction_->body != nullptr) {
        idle = std::min(idle, body_deadline(*transaction_->body));
    }
    // Inside a transaction the whole session's time does not count: only the client's silence does.
    const auto whole = started_ + rights_.connector->connection_timeout;
    const bool by_session = transaction_ == nullptr && whole < idle;
    connection_.set_last_words(by_session ? kSessionTimeout : kIdleTimeout);
    connection_.set_deadline(by_session ? whole : idle);
}

// Ends early when the lane stops. The client's time stands still meanwhile.
Task<void> ReceiveSession::sleep(Duration duration) {
    auto& lane = services().lane;
    connection_.clear_deadline();
    const auto until = lane.clock().monotonic() + duration;
    co_await lane.sleep_until(until);
}

// Reference 2.8: who is refused and has not shown who it is waits for the answer.
Task<void> ReceiveSession::tarpit() {
    const auto interval = rights_.connector->tarpit_interval;
    const bool spared = rights_.standing != Standing::anonymous || rights_.is_exempt(client_);
    if (interval.count() > 0 && !spared) {
        co_await sleep(interval);
    }
}

void ReceiveSession::stop() {
    stopping_ = true;
    if (waiting_) {
        outcome_ = SessionOutcome::stopped;
        connection_.close_with(kStopping);
    }
}

void ReceiveSession::abort() {
    connection_.close();
}

void ReceiveSession::stress_changed() {
    if (waiting_ && is_stressed()) {
        set_command_deadline();
    }
}

void ReceiveSession::count_refusal(std::string_view reason) {
    if (services().metrics != nullptr) {
        services().metrics->refused(reason);
    }
}

void ReceiveSession::note(std::string_view text, std::string_view context) {
    if (protocol_log_ != nullptr) {
        protocol_log_->note(text, context);
    }
}

}  // namespace mailflow
