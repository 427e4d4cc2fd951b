#include "transport/smtp/receive_protocol.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/encoding.hpp"
#include "transport/smtp/limits.hpp"
#include "transport/smtp/mail_parameters.hpp"

#include <algorithm>
#include <utility>

namespace mailflow::smtp {

namespace {

using ascii::equal_ignoring_case;

constexpr auto kTooManyErrors = "Too many errors on this connection, closing transmission channel";
constexpr auto kTooManyMails = "Too many messages on this connection, closing transmission channel";

Reply send_hello_first() {
    return make_reply(503, "5.5.2", "Send hello first");
}

Reply need_mail() {
    return make_reply(503, "5.5.2", "Need mail command");
}

Reply bad_sequence(std::string_view why) {
    return make_reply(503, "5.5.1", why);
}

// Reference 2.8, RequireEHLODomain: a name below another one, or an address literal.
bool is_domain_or_literal(std::string_view name) noexcept {
    return name.starts_with('[') || name.find('.') < name.size() - 1;
}

}  // namespace

Action ReceiveProtocol::on_command(std::string_view line) {
    return fitted(take_line(line));
}

Action ReceiveProtocol::take_line(std::string_view line) {
    ends_group_ = false;
    if (phase_ == Phase::auth) return on_auth_line(line);
    const auto verb = verb_of(line);
    if (line.size() > kMaxCommandLine && !equal_ignoring_case(verb, "AUTH"))
        return on_line_too_long();
    auto parsed = parse_command(line);
    if (auto* refusal = std::get_if<Reply>(&parsed))
        return on_syntax_error(verb, std::move(*refusal));
    auto& command = std::get<Command>(parsed);
    // RFC 2920 §3.1: without the extension every command ends its group; a chunk follows its BDAT.
    ends_group_ = ends_group(command) ||
                  (!settings_.extensions.pipelining && !std::holds_alternative<Bdat>(command));
    if (auto refusal = refuse_without_tls(command)) return *std::move(refusal);
    return std::visit([this](auto& c) { return on(c); }, command);
}

std::size_t ReceiveProtocol::max_line() const noexcept {
    const bool auth = phase_ == Phase::auth || !settings_.extensions.auth.empty();
    return auth ? kMaxAuthLine : kMaxCommandLine;
}

Action ReceiveProtocol::on_line_too_long() {
    ends_group_ = false;
    if (phase_ == Phase::auth) {
        phase_ = Phase::greeted;
        // RFC 4954 §4: 5.5.6 for a line of the exchange over the limit.
        return fitted(AuthCancelled{make_reply(500, "5.5.6", "Authentication line too long")});
    }
    // RFC 5321 §4.5.3.1.9
    return fitted(protocol_error(make_reply(500, "5.5.2", "Line too long")));
}

Action ReceiveProtocol::on_syntax_error(std::string_view verb, Reply reply) {
    // Attack case 13: what follows a BDAT without a length cannot be told from commands.
    if (equal_ignoring_case(verb, "BDAT")) {
        return settings_.extensions.chunking ? Action(Hangup{std::move(reply)}) : not_offered();
    }
    const bool hello = equal_ignoring_case(verb, "EHLO") || equal_ignoring_case(verb, "HELO");
    if (hello && settings_.requires_ehlo_domain) return Hangup{std::move(reply)};
    // RFC 2920 §3.1: the rest of the group was sent before its client could know.
    if (equal_ignoring_case(verb, "MAIL") && phase_ == Phase::greeted) sender_refused_ = true;
    if (equal_ignoring_case(verb, "RCPT") && phase_ == Phase::mail) recipient_refused_ = true;
    return protocol_error(std::move(reply));
}

// RFC 3207 §4: a server that wants TLS answers 530 to all but the commands that lead there or away.
std::optional<Action> ReceiveProtocol::refuse_without_tls(const Command& command) {
    if (!settings_.requires_tls || secure_) return std::nullopt;
    const bool refused = std::visit(
        []<class C>(const C&) {
            return std::is_same_v<C, Mail> || std::is_same_v<C, Rcpt> || std::is_same_v<C, Data> ||
                   std::is_same_v<C, Vrfy> || std::is_same_v<C, Expn> || std::is_same_v<C, Auth>;
        },
        command);
    return refused ? std::optional(must_start_tls()) : std::nullopt;
}

Action ReceiveProtocol::must_start_tls() {
    return idle(SendReply{make_reply(530, "5.7.0", "Must issue a STARTTLS command first")});
}

// ---- greeting

// RFC 5321 §4.1.4: HELO and EHLO are legal at any time.
Action ReceiveProtocol::on(Helo& helo) {
    return hello(std::move(helo.name), false);
}

Action ReceiveProtocol::on(Ehlo& ehlo) {
    return hello(std::move(ehlo.name), true);
}

Action ReceiveProtocol::hello(std::string name, bool extended) {
    if (settings_.requires_ehlo_domain && !is_domain_or_literal(name))
        return Hangup{make_reply(501, "5.5.4", "Invalid domain name")};
    auto check = CheckHelo{std::move(name), extended};
    pending_ = check;
    if (phase_ == Phase::connected) return check;
    return idle(std::move(check));
}

// ---- STARTTLS, AUTH, XCLIENT

Action ReceiveProtocol::on(StartTls&) {
    // RFC 3207 §4: not when TLS is active.
    if (secure_) return protocol_error(bad_sequence("TLS is already active"));
    if (!settings_.extensions.start_tls) return not_offered();
    if (in_transaction()) return protocol_error(bad_sequence("Not inside a mail transaction"));
    return BeginTls{make_reply(220, "2.0.0", "SMTP server ready")};
}

Action ReceiveProtocol::on(Auth& auth) {
    if (phase_ == Phase::connected) return protocol_error(send_hello_first());
    // RFC 4954 §4: one success per session, never inside a transaction.
    if (!account_.empty()) return protocol_error(bad_sequence("Already authenticated"));
    if (in_transaction()) return protocol_error(bad_sequence("Not inside a mail transaction"));
    const auto& offered = settings_.extensions.auth;
    if (offered.empty()) {
        if (secure_ || !settings_.extensions.start_tls || settings_.without_auth)
            return not_offered();
        // RFC 4954 §6; attack case 23.
        return idle(SendReply{make_reply(
            538, "5.7.11", "Encryption required for requested authentication mechanism")});
    }
    if (std::find(offered.begin(), offered.end(), auth.mechanism) == offered.end())
        return protocol_error(make_reply(504, "5.5.4", "Unrecognized authentication type"));
    auto action = idle(BeginAuth{std::move(auth.mechanism), std::move(auth.initial)});
    if (std::holds_alternative<BeginAuth>(action)) phase_ = Phase::auth;
    return action;
}

// Attack case 24: whatever is wrong with a line of the exchange ends it and nothing else.
Action ReceiveProtocol::on_auth_line(std::string_view line) {
    ends_group_ = true;
    if (line.size() > kMaxAuthLine) return on_line_too_long();
    // RFC 4954 §4: a lone `*` cancels.
    if (line == "*") {
        phase_ = Phase::greeted;
        return AuthCancelled{make_reply(501, "5.7.0", "Authentication cancelled")};
    }
    auto octets = base64_decode(line);
    if (octets) return AuthResponse{*std::move(octets)};
    phase_ = Phase::greeted;
    auto action = protocol_error(make_reply(501, "5.5.2", "Cannot decode base64"));
    if (auto* refusal = std::get_if<SendReply>(&action))
        return AuthCancelled{std::move(refusal->reply)};
    return action;
}

Action ReceiveProtocol::on(Xclient& client) {
    if (!settings_.extensions.xclient) return not_offered();
    if (in_transaction()) return protocol_error(bad_sequence("Not inside a mail transaction"));
    pending_ = client;
    return idle(ApplyXclient{std::move(client)});
}

// ---- MAIL, RCPT

Action ReceiveProtocol::on(Mail& mail) {
    if (phase_ == Phase::connected) return protocol_error(send_hello_first());
    if (phase_ == Phase::bdat) return protocol_error(bad_sequence("Message is not complete"));
    // RFC 5321 §4.1.4: one transaction at a time.
    if (phase_ != Phase::greeted) return protocol_error(bad_sequence("Sender already specified"));
    // RFC 9422 §4.1: MAILMAX counts each MAIL, whatever becomes of it.
    const auto& max_mails = settings_.extensions.max_mails;
    if (max_mails && mails_ >= *max_mails) return Hangup{make_reply(421, "4.7.0", kTooManyMails)};
    ++mails_;
    if (auto refusal = find_unfit(mail)) {
        sender_refused_ = true;
        return protocol_error(*std::move(refusal));
    }
    sender_refused_ = false;
    pending_ = mail;
    return CheckSender{std::move(mail)};
}

// A parameter that this session, as it is now, does not take.
std::optional<Reply> ReceiveProtocol::find_unfit(const Mail& mail) const {
    const auto& offered = settings_.extensions;
    const bool binary = mail.body == BodyType::binary_mime;
    const bool takes_binary = offered.binary_mime && offered.chunking;
    // RFC 5321 §4.1.1.11: nothing that was not announced.
    const bool fits = (!mail.size || offered.announce_size) &&
                      (!mail.body || (binary ? takes_binary : offered.eight_bit_mime)) &&
                      (!mail.smtputf8 || offered.smtputf8) &&
                      ((!mail.dsn_return && !mail.envelope_id) || offered.dsn) &&
                      (!mail.authenticated_sender || !offered.auth.empty() || !account_.empty()) &&
                      // RFC 8689 §4: inside TLS only.
                      (!mail.require_tls || (offered.require_tls && secure_)) &&
                      (!mail.priority || offered.mt_priority) &&
                      (!mail.hold || offered.future_release) &&
                      (!mail.deliver_by || offered.deliver_by);
    if (!fits) return unsupported_parameter();
    if (mail.hold) {
        const bool too_long =
            (mail.hold->hold_for &&
             std::chrono::seconds(*mail.hold->hold_for) > offered.max_hold) ||
            (mail.hold->hold_until && *mail.hold->hold_until > offered.hold_until_limit);
        // RFC 4865 §5
        if (too_long) return make_reply(501, "5.5.4", "Hold time exceeds the maximum");
    }
    // RFC 2852 §4: for R only, a message that may be late is tried.
    if (mail.deliver_by && mail.deliver_by->return_late &&
        std::chrono::seconds(mail.deliver_by->seconds) < offered.min_deliver_by)
        return make_reply(555, "5.5.4", "Delivery time is below the minimum");
    return std::nullopt;
}

Action ReceiveProtocol::on(Rcpt& rcpt) {
    if (phase_ == Phase::connected) return protocol_error(send_hello_first());
    if (phase_ == Phase::greeted) {
        // RFC 2920 §3.1: a client that pipelines sends these before it knows that its MAIL was
        // refused.
        if (sender_refused_) return SendReply{need_mail()};
        return protocol_error(need_mail());
    }
    if (phase_ == Phase::bdat) return protocol_error(bad_sequence("Message is not complete"));
    const bool asks_reports = rcpt.dsn.notify != 0 || !rcpt.dsn.original_recipient.empty();
    if (asks_reports && !settings_.extensions.dsn) {
        recipient_refused_ = true;
        return protocol_error(unsupported_parameter());
    }
    // RFC 6531 §3.5
    if (rcpt.has_utf8 && !envelope_.smtputf8) {
        recipient_refused_ = true;
        return protocol_error(
            make_reply(553, "5.6.7", "Internationalized address requires SMTPUTF8"));
    }
    pending_ = rcpt.path;
    return CheckRecipient{std::move(rcpt)};
}

// ---- DATA, BDAT

// Why no message can come now.
std::optional<Action> ReceiveProtocol::refuse_message() {
    if (phase_ == Phase::connected) return protocol_error(send_hello_first());
    if (phase_ == Phase::greeted) {
        if (sender_refused_) return SendReply{need_mail()};
        return protocol_error(need_mail());
    }
    if (phase_ == Phase::mail) {
        // RFC 5321 §3.3: 554 when all were refused; the DATA of a pipelined group is no error of
        // the client.
        if (recipient_refused_) return SendReply{make_reply(554, "5.5.1", "No valid recipients")};
        return protocol_error(make_reply(503, "5.5.2", "Need rcpt command"));
    }
    return std::nullopt;
}

Action ReceiveProtocol::on(Data&) {
    if (auto refusal = refuse_message()) return *std::move(refusal);
    // RFC 3030 §2: not both in one transaction. §3: binary content only by BDAT.
    if (phase_ == Phase::bdat) return protocol_error(bad_sequence("Message is sent with BDAT"));
    if (envelope_.body == BodyType::binary_mime)
        return protocol_error(bad_sequence("BODY=BINARYMIME requires BDAT"));
    phase_ = Phase::data;
    return ReceiveData{make_reply(354, "", "Start mail input; end with <CRLF>.<CRLF>")};
}

Action ReceiveProtocol::on(Bdat& chunk) {
    if (!settings_.extensions.chunking) return not_offered();
    // More than any message may have is not waited for.
    if (chunk.size > settings_.max_chunk) {
        return Hangup{make_reply(552, "5.3.4", "Message size exceeds fixed maximum message size")};
    }
    if (settings_.requires_tls && !secure_) return discard(chunk, must_start_tls());
    if (auto refusal = refuse_message()) return discard(chunk, *std::move(refusal));
    // RFC 3030 §2: once a chunk was refused, only RSET or the last one ends the transaction.
    if (chunk_failed_)
        return discard(chunk, SendReply{bad_sequence("Message has already been refused")});
    phase_ = chunk.last ? Phase::data : Phase::bdat;
    const auto take = ReceiveChunk{chunk.size, chunk.last};
    // Attack case 17: empty chunks move nothing forward either.
    if (chunk.size == 0 && !chunk.last) return idle(take);
    return take;
}

// RFC 3030 §2, attack case 13: the octets of a refused chunk come all the same and are no commands.
Action ReceiveProtocol::discard(const Bdat& chunk, Action refusal) {
    auto* reply = std::get_if<SendReply>(&refusal);
    if (reply == nullptr) return refusal;
    if (chunk.last && in_transaction()) drop_transaction();
    return DiscardChunk{chunk.size, std::move(reply->reply)};
}

// ---- commands that change nothing

// RFC 5321 §4.1.1.5: legal before the greeting too, and then without effect.
Action ReceiveProtocol::on(Rset&) {
    drop_transaction();
    return idle(SendReply{make_reply(250, "2.0.0", "Resetting")});
}

Action ReceiveProtocol::on(Noop&) {
    return idle(SendReply{make_reply(250, "2.0.0", "OK")});
}

// RFC 5321 §7.3: whether the user exists is told at RCPT only, unless the administrator wants it.
Action ReceiveProtocol::on(Vrfy& vrfy) {
    if (!settings_.extensions.verify) {
        return idle(SendReply{make_reply(
            252, "2.1.5", "Cannot VRFY user, but will take message and attempt delivery")});
    }
    // RFC 5321 §4.3.2: 504 for a parameter of VRFY that is not implemented.
    if (vrfy.smtputf8 && !settings_.extensions.smtputf8)
        return protocol_error(make_reply(504, "5.5.4", "Unsupported option"));
    return idle(CheckName{std::move(vrfy.argument), false});
}

// Deviation: RFC 5321 §7.3 has 252 for EXPN too, which would promise delivery to a list that nobody
// looked up.
Action ReceiveProtocol::on(Expn& expn) {
    if (!settings_.extensions.verify)
        return idle(SendReply{make_reply(550, "5.7.1", "Lists are not expanded")});
    if (expn.smtputf8 && !settings_.extensions.smtputf8)
        return protocol_error(make_reply(504, "5.5.4", "Unsupported option"));
    return idle(CheckName{std::move(expn.argument), true});
}

// RFC 5321 §4.1.1.8: what this session offers now.
Action ReceiveProtocol::on(Help&) {
    const auto& offered = settings_.extensions;
    std::string text = "This server supports the following commands:\nHELO EHLO";
    if (offered.start_tls && !secure_) text += " STARTTLS";
    if (!offered.auth.empty()) text += " AUTH";
    text += " MAIL RCPT DATA";
    if (offered.chunking) text += " BDAT";
    text += " RSET NOOP VRFY";
    if (offered.verify) text += " EXPN";
    if (offered.xclient) text += " XCLIENT";
    text += " HELP QUIT";
    return idle(SendReply{make_reply(214, "2.0.0", text)});
}

Action ReceiveProtocol::on(Quit&) {
    return Hangup{make_reply(221, "2.0.0", "Service closing transmission channel")};
}

Action ReceiveProtocol::on(Unsupported&) {
    return not_offered();
}

Action ReceiveProtocol::on(Unknown&) {
    return protocol_error(make_reply(500, "5.3.3", "Unrecognized command"));
}

Action ReceiveProtocol::on(ForeignProtocol&) {
    return Drop{};
}

// RFC 5321 §4.2.4: 502 for a command that is known and not offered.
Action ReceiveProtocol::not_offered() {
    return protocol_error(make_reply(502, "5.5.1", "Command not implemented"));
}

// Attack case 17: commands that move nothing forward are counted between two messages.
Action ReceiveProtocol::idle(Action action) {
    if (++idle_commands_ > kMaxIdleCommands)
        return Hangup{make_reply(421, "4.7.0", kTooManyErrors)};
    return action;
}

Action ReceiveProtocol::protocol_error(Reply reply) {
    ++errors_;
    if (settings_.max_protocol_errors && errors_ > *settings_.max_protocol_errors) {
        return Hangup{make_reply(421, "4.7.0", kTooManyErrors)};
    }
    return SendReply{std::move(reply)};
}

}  // namespace mailflow::smtp
