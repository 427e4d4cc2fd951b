#include "transport/smtp/client_protocol.hpp"

#include "transport/mail/xtext.hpp"
#include "transport/smtp/limits.hpp"

#include <algorithm>
#include <array>
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

// RFC 2852 §4: only what is to be returned when late depends on the peer.
std::optional<Unfit> find_deadline_unfit(const PeerExtensions& peer, const DeliverBy& deliver_by) {
    if (!deliver_by.return_late) return std::nullopt;
    if (!peer.deliver_by) return Unfit::no_deliver_by;
    const bool too_late =
        deliver_by.seconds <= 0 || std::chrono::seconds(deliver_by.seconds) < peer.min_deliver_by;
    return too_late ? std::optional(Unfit::too_late) : std::nullopt;
}

// ---- parameters, each with the blank before it

// RFC 3461 §4.3, §4.4
std::string dsn_parameters(const MailTransaction& transaction) {
    std::string text;
    if (transaction.dsn_return == DsnReturn::full) text += " RET=FULL";
    if (transaction.dsn_return == DsnReturn::headers) text += " RET=HDRS";
    if (!transaction.envelope_id.empty()) {
        text += " ENVID=" + encode_xtext(transaction.envelope_id);
    }
    return text;
}

// RFC 3461 §4.1. RFC 3461 §5.2.1: what was not given is not given on.
std::string notify_parameter(const DsnRequest& request) {
    if (request.notify == 0) return {};
    if (request.wants(NotifyOn::never)) return " NOTIFY=NEVER";
    constexpr std::array<std::pair<NotifyOn, std::string_view>, 3> kWords = {
        {{NotifyOn::success, "SUCCESS"},
         {NotifyOn::failure, "FAILURE"},
         {NotifyOn::delay, "DELAY"}}};
    std::string text;
    for (const auto& [event, word] : kWords) {
        if (request.wants(event)) text.append(text.empty() ? " NOTIFY=" : ",").append(word);
    }
    return text;
}

// RFC 3461 §4.2; RFC 6533 §3: an address of type utf-8 in its ASCII form, which every peer reads.
std::string original_recipient_parameter(const DsnRequest& request) {
    const std::string_view given = request.original_recipient;
    const auto type_end = given.find(';');
    if (type_end == std::string_view::npos) return {};
    const auto type = given.substr(0, type_end);
    const auto address = given.substr(type_end + 1);
    return " ORCPT=" + std::string(type) + ';' +
           (type == "utf-8" ? encode_unitext_ascii(address) : encode_xtext(address));
}

// RFC 2852 §4
std::string deliver_by_parameter(const DeliverBy& deliver_by) {
    std::string text = " BY=" + std::to_string(deliver_by.seconds) + ';';
    text += deliver_by.return_late ? 'R' : 'N';
    if (deliver_by.trace) text += 'T';
    return text;
}

}  // namespace

std::optional<Unfit> find_unfit(const PeerExtensions& peer, const MailTransaction& transaction) {
    if (transaction.require_tls && !peer.require_tls) return Unfit::no_require_tls;
    if (transaction.binary && !(peer.binary_mime && peer.chunking)) return Unfit::needs_binary;
    if (peer.size && peer.max_size != 0 && transaction.size > peer.max_size)
        return Unfit::too_large;
    if (!peer.smtputf8 && needs_smtputf8(transaction)) return Unfit::needs_utf8;
    if (transaction.deliver_by) return find_deadline_unfit(peer, *transaction.deliver_by);
    return std::nullopt;
}

ClientProtocol::ClientProtocol(const PeerExtensions& peer, MailTransaction transaction)
    : peer_(peer)
    , transaction_(std::move(transaction))
    , outcomes_(transaction_.recipients.size())
    , decided_(transaction_.recipients.size(), false)
    , chunked_(transaction_.binary || may_chunk()) {}

// Small content saves a round trip in a chunk; of what does not fit into a flight neither saves
// anything, and DATA is what every peer is used to.
bool ClientProtocol::may_chunk() const noexcept {
    return peer_.chunking && peer_.pipelining && !transaction_.lmtp &&
           transaction_.recipients.size() < kMaxFlightCommands &&
           transaction_.size <= kMaxWholeFlightOctets - kMaxFlightOctets;
}

// ---- what is written

// RFC 5321 §4.1.1.2 with the parameters the peer knows.
std::string ClientProtocol::mail_command() const {
    std::string command = "MAIL FROM:<" + transaction_.reverse_path.text() + '>';
    if (peer_.size) command += " SIZE=" + std::to_string(transaction_.size);
    // Deviation: 8-bit content goes to a peer without 8BITMIME unchanged (RFC 6152 §3 asks to
    // convert or return it); every server in use is 8-bit clean, and converted content breaks
    // signatures.
    if (transaction_.binary) {
        command += " BODY=BINARYMIME";
    } else if (peer_.eight_bit_mime && transaction_.eight_bit) {
        command += " BODY=8BITMIME";
    }
    if (peer_.smtputf8 && needs_smtputf8(transaction_)) command += " SMTPUTF8";
    // RFC 8689 §2. Only inside TLS does a host offer it that keeps to RFC 8689 §3.
    if (transaction_.require_tls && peer_.require_tls) command += " REQUIRETLS";
    if (peer_.dsn) command += dsn_parameters(transaction_);
    if (peer_.mt_priority && transaction_.priority != 0) {
        command += " MT-PRIORITY=" + std::to_string(transaction_.priority);
    }
    if (peer_.deliver_by && transaction_.deliver_by) {
        command += deliver_by_parameter(*transaction_.deliver_by);
    }
    command += "\r\n";
    return command;
}

std::string ClientProtocol::recipient_command(std::size_t recipient) const {
    std::string command = "RCPT TO:<" + transaction_.recipients[recipient].text() + '>';
    if (peer_.dsn && recipient < transaction_.dsn.size()) {
        const auto& request = transaction_.dsn[recipient];
        command += notify_parameter(request) + original_recipient_parameter(request);
    }
    command += "\r\n";
    return command;
}

// RFC 3030 §2: one chunk holds all.
std::string ClientProtocol::chunk_command() const {
    return "BDAT " + std::to_string(transaction_.size) + " LAST\r\n";
}

// MAIL, one RCPT each, DATA. A chunk is no command: it follows the first accepted recipient.
bool ClientProtocol::more_commands() const noexcept {
    return commands_written_ < transaction_.recipients.size() + (is_chunked() ? 1 : 2);
}

void ClientProtocol::append_command(std::string& out) {
    const std::size_t number = commands_written_++;
    if (number == 0) {
        needs_reset_ = true;
        out += mail_command();
    } else if (number <= transaction_.recipients.size()) {
        out += recipient_command(number - 1);
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
    // RFC 3030 §4.2: BDAT may be pipelined. Decisions §2.7: only when all of it is one small flight
    // from MAIL on, since it is sent before anybody has been accepted.
    if (is_chunked() && first == 0 && peer_.pipelining && !more_commands() &&
        flight.size() + transaction_.size <= kMaxWholeFlightOctets) {
        body_in_flight_ = true;
        ++commands_written_;
    }
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
    if (body_sent_ && number > transaction_.recipients.size()) {
        on_end_of_data_reply(reply);
        return;
    }
    if (number == 0) {
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
    // RFC 5321 §4.1.1.4: whatever it says, the transaction is over. RFC 3030 §2: after a refused
    // chunk it may not be.
    needs_reset_ = is_chunked() && !reply.is_completion();
    next_ = Next::finished;
    if (lone_dot_) return;
    if (reply.is_intermediate()) {
        // Attack case 39: a 354 to the final dot says nothing about the message.
        leave_open(ClientStage::end_of_data);
        return;
    }
    if (transaction_.lmtp) {
        on_recipient_delivery_reply(reply);
        return;
    }
    delivered_ = reply.is_completion();
    decide_open(ClientStage::end_of_data, reply);
}

// RFC 2033 §4.2: in the order of the accepted recipients.
void ClientProtocol::on_recipient_delivery_reply(const PeerReply& reply) {
    const auto first = std::find(decided_.begin(), decided_.end(), false);
    const auto recipient = static_cast<std::size_t>(first - decided_.begin());
    *first = true;
    outcomes_[recipient].stage = ClientStage::end_of_data;
    outcomes_[recipient].reply = reply;
    delivered_ = delivered_ || reply.is_completion();
    const bool more = std::find(first, decided_.end(), false) != decided_.end();
    next_ = more ? Next::read : Next::finished;
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
    next_ = only_data_left && is_chunked() ? Next::send_body : Next::write;
}

ClientStage ClientProtocol::stage() const noexcept {
    if (body_sent_ && replies_read_ > transaction_.recipients.size()) {
        return ClientStage::end_of_data;
    }
    if (next_ == Next::send_body) return ClientStage::body;
    const std::size_t number = replies_read_;
    if (number == 0) return ClientStage::mail;
    return number <= transaction_.recipients.size() ? ClientStage::rcpt : ClientStage::data;
}

}  // namespace mailflow::smtp
