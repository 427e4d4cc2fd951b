#include "transport/smtp/receive_protocol.hpp"

#include "transport/smtp/limits.hpp"

#include <utility>

namespace mailflow::smtp {

namespace {

constexpr auto kTooManyErrors = "Too many errors on this connection, closing transmission channel";

}  // namespace

Action ReceiveProtocol::on_command(std::string_view line) {
    ends_group_ = false;
    auto parsed = parse_command(line);
    if (auto* refusal = std::get_if<Reply>(&parsed)) return protocol_error(std::move(*refusal));
    auto& command = std::get<Command>(parsed);
    ends_group_ = ends_group(command);
    return dispatch(std::move(command));
}

Action ReceiveProtocol::on_line_too_long() {
    ends_group_ = false;
    // RFC 5321 §4.5.3.1.9
    return protocol_error(make_reply(500, "5.5.2", "Line too long"));
}

Hangup ReceiveProtocol::on_unauthorized_pipelining() {
    return Hangup{make_reply(554, "5.5.0", "SMTP protocol synchronization error")};
}

Action ReceiveProtocol::dispatch(Command command) {
    struct Table {
        ReceiveProtocol& self;

        // RFC 5321 §4.1.4: HELO and EHLO are legal at any time.
        Action operator()(Helo& helo) const { return hello(std::move(helo.name), false); }

        Action operator()(Ehlo& ehlo) const { return hello(std::move(ehlo.name), true); }

        Action operator()(Mail& mail) const { return self.on_mail(std::move(mail)); }

        Action operator()(Rcpt& rcpt) const { return self.on_rcpt(std::move(rcpt)); }

        Action operator()(Data&) const { return self.on_data(); }

        Action operator()(Rset&) const {
            // RFC 5321 §4.1.1.5: legal before the greeting too, and then without effect.
            self.drop_transaction();
            return self.on_idle_command(make_reply(250, "2.0.0", "Resetting"));
        }

        Action operator()(Noop&) const {
            return self.on_idle_command(make_reply(250, "2.0.0", "OK"));
        }

        // RFC 5321 §7.3: whether the user exists is told at RCPT only.
        Action operator()(Vrfy&) const {
            return self.on_idle_command(make_reply(
                252, "2.1.5", "Cannot VRFY user, but will take message and attempt delivery"));
        }

        Action operator()(Help&) const {
            return self.on_idle_command(make_reply(
                214,
                "2.0.0",
                "This server supports the following commands:\n"
                "HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT"));
        }

        Action operator()(Quit&) const {
            return Hangup{make_reply(221, "2.0.0", "Service closing transmission channel")};
        }

        Action operator()(Bdat&) const { return not_offered(); }

        Action operator()(Expn&) const { return not_offered(); }

        Action operator()(StartTls&) const { return not_offered(); }

        Action operator()(Auth&) const { return not_offered(); }

        Action operator()(Xclient&) const { return not_offered(); }

        [[nodiscard]] Action not_offered() const {
            return self.protocol_error(make_reply(502, "5.5.1", "Command not implemented"));
        }

        // RFC 5321 §4.2.4: 502 for a command that is known and not offered.
        Action operator()(Unsupported&) const {
            return self.protocol_error(make_reply(502, "5.5.1", "Command not implemented"));
        }

        Action operator()(Unknown&) const {
            return self.protocol_error(make_reply(500, "5.3.3", "Unrecognized command"));
        }

        Action operator()(ForeignProtocol&) const { return Drop{}; }

        Action hello(std::string name, bool extended) const {
            self.pending_ = Pending{name, extended, {}, std::nullopt};
            return CheckHelo{std::move(name), extended};
        }
    };

    return std::visit(Table{*this}, command);
}

Action ReceiveProtocol::on_mail(Mail mail) {
    if (phase_ == Phase::connected)
        return protocol_error(make_reply(503, "5.5.2", "Send hello first"));
    // RFC 5321 §4.1.4: one transaction at a time.
    if (phase_ != Phase::greeted)
        return protocol_error(make_reply(503, "5.5.1", "Sender already specified"));
    sender_refused_ = false;
    pending_.mail = mail;
    return CheckSender{std::move(mail)};
}

Action ReceiveProtocol::on_rcpt(Rcpt rcpt) {
    if (phase_ == Phase::connected)
        return protocol_error(make_reply(503, "5.5.2", "Send hello first"));
    if (phase_ == Phase::greeted) {
        auto reply = make_reply(503, "5.5.2", "Need mail command");
        // RFC 2920 §3.1: a client that pipelines sends these before it knows that its MAIL was
        // refused.
        if (sender_refused_) return SendReply{std::move(reply)};
        return protocol_error(std::move(reply));
    }
    // RFC 6531 §3.5
    if (rcpt.has_utf8 && !envelope_.smtputf8) {
        recipient_refused_ = true;
        return protocol_error(
            make_reply(553, "5.6.7", "Internationalized address requires SMTPUTF8"));
    }
    pending_.recipient = rcpt.path;
    return CheckRecipient{std::move(rcpt)};
}

Action ReceiveProtocol::on_data() {
    switch (phase_) {
        case Phase::connected: return protocol_error(make_reply(503, "5.5.2", "Send hello first"));
        case Phase::greeted: {
            auto reply = make_reply(503, "5.5.2", "Need mail command");
            if (sender_refused_) return SendReply{std::move(reply)};
            return protocol_error(std::move(reply));
        }
        case Phase::mail:
            // RFC 5321 §3.3: 554 when all were refused; the DATA of a pipelined group is no error
            // of the client.
            if (recipient_refused_)
                return SendReply{make_reply(554, "5.5.1", "No valid recipients")};
            return protocol_error(make_reply(503, "5.5.2", "Need rcpt command"));
        case Phase::auth:
        case Phase::rcpt:
        case Phase::bdat:
        case Phase::data: break;
    }
    phase_ = Phase::data;
    return ReceiveData{make_reply(354, "", "Start mail input; end with <CRLF>.<CRLF>")};
}

// Attack case 17: commands that move nothing forward are counted between two messages.
Action ReceiveProtocol::on_idle_command(Reply reply) {
    if (++idle_commands_ > kMaxIdleCommands)
        return Hangup{make_reply(421, "4.7.0", kTooManyErrors)};
    return SendReply{std::move(reply)};
}

Action ReceiveProtocol::protocol_error(Reply reply) {
    ++errors_;
    if (settings_.max_protocol_errors && errors_ > *settings_.max_protocol_errors) {
        return Hangup{make_reply(421, "4.7.0", kTooManyErrors)};
    }
    return SendReply{std::move(reply)};
}

Reply ReceiveProtocol::helo_accepted() {
    drop_transaction();
    phase_ = Phase::greeted;
    helo_ = std::move(pending_.helo);
    extended_ = pending_.extended;
    // RFC 2034 §3: no enhanced code here.
    auto reply = make_reply(250, "", settings_.fqdn + " Hello [" + settings_.client + ']');
    if (extended_) {
        reply.text += '\n';
        reply.text += announcement(settings_.extensions);
    }
    return reply;
}

void ReceiveProtocol::helo_refused() noexcept {
    pending_.helo.clear();
}

Reply ReceiveProtocol::sender_accepted() {
    const Mail& mail = pending_.mail;
    envelope_ = Envelope{};
    envelope_.reverse_path = mail.path;
    envelope_.body = mail.body.value_or(BodyType::seven_bit);
    envelope_.smtputf8 = mail.smtputf8;
    envelope_.declared_size = mail.size.value_or(0);
    recipient_refused_ = false;
    phase_ = Phase::mail;
    return make_reply(250, "2.1.0", "Sender OK");
}

void ReceiveProtocol::sender_refused() noexcept {
    sender_refused_ = true;
}

Reply ReceiveProtocol::recipient_accepted() {
    envelope_.recipients.push_back(std::move(*pending_.recipient));
    pending_.recipient.reset();
    phase_ = Phase::rcpt;
    return make_reply(250, "2.1.5", "Recipient OK");
}

void ReceiveProtocol::recipient_refused() noexcept {
    pending_.recipient.reset();
    recipient_refused_ = true;
}

void ReceiveProtocol::end_transaction(bool taken) noexcept {
    drop_transaction();
    if (taken) idle_commands_ = 0;
}

Envelope ReceiveProtocol::take_envelope() noexcept {
    return std::exchange(envelope_, {});
}

const char* ReceiveProtocol::with_keyword() const noexcept {
    if (!extended_) return "SMTP";
    return envelope_.smtputf8 ? "UTF8SMTP" : "ESMTP";
}

void ReceiveProtocol::drop_transaction() noexcept {
    if (phase_ != Phase::connected) phase_ = Phase::greeted;
    envelope_ = Envelope{};
    sender_refused_ = false;
    recipient_refused_ = false;
}

}  // namespace mailflow::smtp
