#include "transport/smtp/client_protocol.hpp"

#include "transport/smtp/limits.hpp"

#include <algorithm>
#include <utility>

namespace mailflow::smtp {

namespace {

bool has_utf8(const std::string& text) noexcept {
    return std::any_of(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7f; });
}

// RFC 6531 §3.1: an ASCII-only message may go anywhere, whatever transaction it came by.
bool needs_smtputf8(const MailTransaction& transaction) {
    return transaction.smtputf8_header || has_utf8(transaction.reverse_path.text()) ||
           std::any_of(
               transaction.recipients.begin(),
               transaction.recipients.end(),
               [](const EmailAddress& recipient) { return recipient.needs_smtputf8(); });
}

}  // namespace

std::optional<Unfit> find_unfit(const PeerExtensions& peer, const MailTransaction& transaction) {
    if (peer.size && peer.max_size != 0 && transaction.size > peer.max_size)
        return Unfit::too_large;
    if (!peer.smtputf8 && needs_smtputf8(transaction)) return Unfit::needs_utf8;
    return std::nullopt;
}

ClientProtocol::ClientProtocol(const PeerExtensions& peer, MailTransaction transaction)
    : peer_(peer)
    , transaction_(std::move(transaction))
    , outcomes_(transaction_.recipients.size())
    , decided_(transaction_.recipients.size(), false) {}

// ---- what is written

// RFC 5321 §4.1.1.2 with the parameters the peer knows.
std::string ClientProtocol::mail_command() const {
    std::string command = "MAIL FROM:<" + transaction_.reverse_path.text() + '>';
    if (peer_.size) command += " SIZE=" + std::to_string(transaction_.size);
    // Deviation: 8-bit content goes to a peer without 8BITMIME unchanged (RFC 6152 §3 asks to
    // convert or return it); every server in use is 8-bit clean, and converted content breaks
    // signatures.
    if (peer_.eight_bit_mime && transaction_.eight_bit) command += " BODY=8BITMIME";
    if (peer_.smtputf8 && needs_smtputf8(transaction_)) command += " SMTPUTF8";
    command += "\r\n";
    return command;
}

// MAIL, one RCPT each, DATA.
bool ClientProtocol::more_commands() const noexcept {
    return commands_written_ < transaction_.recipients.size() + 2;
}

void ClientProtocol::append_command(std::string& out) {
    const std::size_t number = commands_written_++;
    if (number == 0) {
        needs_reset_ = true;
        out += mail_command();
    } else if (number <= transaction_.recipients.size()) {
        out += "RCPT TO:<" + transaction_.recipients[number - 1].text() + ">\r\n";
    } else {
        out += "DATA\r\n";
    }
}

// RFC 2920 §3.1: MAIL, RCPT and DATA may go in one group, DATA as its last.
std::string ClientProtocol::take_flight() {
    if (lone_dot_) {
        on_body_sent();
        return ".\r\n";
    }
    std::string flight;
    const std::size_t first = commands_written_;
    do {
        append_command(flight);
    } while (peer_.pipelining && more_commands() && flight.size() < kMaxFlightOctets &&
             commands_written_ - first < kMaxFlightCommands);
    next_ = Next::read;
    return flight;
}

// ---- what is read

void ClientProtocol::on_reply(PeerReply reply) {
    // RFC 5321 §3.8, §4.2.1: 421 may answer anything; the peer closes.
    if (reply.code == 421) {
        stop(stage(), reply);
        return;
    }
    const std::size_t number = replies_read_++;
    if (body_sent_) {
        on_end_of_data_reply(reply);
    } else if (number == 0) {
        on_mail_reply(reply);
    } else if (number <= transaction_.recipients.size()) {
        on_rcpt_reply(number - 1, std::move(reply));
    } else {
        on_data_reply(reply);
    }
    if (next_ != Next::finished && next_ != Next::send_body) advance();
}

void ClientProtocol::on_mail_reply(const PeerReply& reply) {
    if (reply.is_completion()) return;
    decide_open(ClientStage::mail, reply);
    sender_refused_ = true;
    needs_reset_ = false;
}

void ClientProtocol::on_rcpt_reply(std::size_t recipient, PeerReply reply) {
    // After a refused MAIL its 503 says nothing new.
    if (sender_refused_) return;
    outcomes_[recipient].stage = ClientStage::rcpt;
    if (reply.is_completion()) {
        ++accepted_;
        return;
    }
    decided_[recipient] = true;
    constexpr std::uint16_t kMailSystemStatus = 3;  // RFC 3463 §3.4
    // RFC 5321 §4.5.3.1.10: old servers say 552 for 452; only believable when some were taken and
    // no other reason is given.
    outcomes_[recipient].means_too_many_recipients =
        reply.code == 552 && accepted_ > 0 &&
        (!reply.status.is_given() || reply.status.subject == kMailSystemStatus);
    outcomes_[recipient].reply = std::move(reply);
}

void ClientProtocol::on_data_reply(const PeerReply& reply) {
    if (!reply.is_intermediate()) {
        next_ = Next::finished;
        if (reply.is_completion()) {
            // RFC 5321 §4.3.2 knows no 2yz to DATA: neither side knows any more what the next
            // octets are.
            leave_open(ClientStage::data);
        } else {
            decide_open(ClientStage::data, reply);
        }
        return;
    }
    lone_dot_ = accepted_ == 0;
    next_ = lone_dot_ ? Next::write : Next::send_body;
}

void ClientProtocol::on_end_of_data_reply(const PeerReply& reply) {
    // RFC 5321 §4.1.1.4: whatever it says, the transaction is over.
    needs_reset_ = false;
    next_ = Next::finished;
    if (lone_dot_) return;
    if (reply.is_intermediate()) {
        // Attack case 39: a 354 to the final dot says nothing about the message.
        leave_open(ClientStage::end_of_data);
        return;
    }
    delivered_ = reply.is_completion();
    decide_open(ClientStage::end_of_data, reply);
}

void ClientProtocol::on_body_sent() {
    body_sent_ = true;
    next_ = Next::read;
}

void ClientProtocol::on_early_reply(const PeerReply& reply) {
    if (reply.is_temporary() || reply.is_permanent()) {
        stop(ClientStage::end_of_data, reply);
    } else {
        leave_open(ClientStage::body);
    }
}

// Everybody still open gets this reply.
void ClientProtocol::decide_open(ClientStage stage, const PeerReply& reply) {
    for (std::size_t i = 0; i < outcomes_.size(); ++i) {
        if (decided_[i]) continue;
        decided_[i] = true;
        outcomes_[i].stage = stage;
        outcomes_[i].reply = reply;
    }
}

// The dialogue is out of step; whoever is open stays without a reply.
void ClientProtocol::leave_open(ClientStage stage) {
    for (std::size_t i = 0; i < outcomes_.size(); ++i) {
        if (!decided_[i]) outcomes_[i].stage = stage;
    }
    must_close_ = true;
    next_ = Next::finished;
}

void ClientProtocol::stop(ClientStage stage, const PeerReply& reply) {
    decide_open(stage, reply);
    must_close_ = true;
    next_ = Next::finished;
}

// After a reply that ended nothing: more replies, more commands, or over.
void ClientProtocol::advance() {
    if (lone_dot_) return;
    if (replies_read_ < commands_written_) {
        next_ = Next::read;
        return;
    }
    const bool only_data_left = commands_written_ == transaction_.recipients.size() + 1;
    if (sender_refused_ || (only_data_left && accepted_ == 0)) {
        // RFC 5321 §3.3: without a recipient no DATA.
        next_ = Next::finished;
        return;
    }
    next_ = Next::write;
}

ClientStage ClientProtocol::stage() const noexcept {
    if (body_sent_) return ClientStage::end_of_data;
    if (next_ == Next::send_body) return ClientStage::body;
    const std::size_t number = replies_read_;
    if (number == 0) return ClientStage::mail;
    return number <= transaction_.recipients.size() ? ClientStage::rcpt : ClientStage::data;
}

}  // namespace mailflow::smtp
