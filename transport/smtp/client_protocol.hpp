// The client side of one mail transaction as a state machine without I/O: which octets to write as
// one flight, how each reply maps to MAIL, each RCPT, DATA and the final dot, and who failed how.
// The driver (transport/deliver) asks `next()` and does what it says. It only records what the peer
// said; what follows from it is delivery_decision's.
#pragma once

#include "transport/mail/dsn_request.hpp"
#include "transport/mail/envelope.hpp"
#include "transport/smtp/extensions.hpp"
#include "transport/smtp/reply_parser.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailflow::smtp {

// Where in the dialogue something was said or went wrong.
enum class ClientStage : std::uint8_t { greeting, hello, mail, rcpt, data, body, end_of_data };

// One transaction to be: an envelope and what the content needs of the peer.
struct MailTransaction {
    ReversePath reverse_path;
    std::vector<EmailAddress> recipients;  // never empty
    std::uint64_t size = 0;                // octets of the content, before dot-stuffing
    bool eight_bit = false;                // the content has octets over 127
    bool smtputf8_header = false;  // … in its header: SMTPUTF8 must be offered (RFC 6531 §3.1)
    bool binary = false;           // BODY=BINARYMIME, in a chunk (RFC 3030)
    bool require_tls = false;      // REQUIRETLS (RFC 8689)
    // RFC 2033 §4.2: after the final dot each accepted recipient has a reply of its own.
    bool lmtp = false;

    // Passed on to a peer that offers the extension.
    std::vector<DsnRequest> dsn{};  // by recipient; empty: nobody asked for anything
    DsnReturn dsn_return = DsnReturn::unspecified;
    std::string envelope_id{};
    std::int8_t priority = 0;
    std::optional<DeliverBy> deliver_by{};  // with the seconds that are left
};

// Why a transaction cannot be begun with this peer at all.
enum class Unfit : std::uint8_t {
    too_large,       // over the peer's SIZE (RFC 1870 §6.1): 5.3.4
    needs_utf8,      // SMTPUTF8 needed and not offered (RFC 6531 §3.2): 5.6.7
    needs_binary,    // BINARYMIME or CHUNKING not offered (RFC 3030 §3): 5.6.3
    no_deliver_by,   // to be returned when late, and DELIVERBY is not offered (RFC 2852 §4): 5.3.3
    too_late,        // … less time is left than the peer takes: 5.4.7
    no_require_tls,  // REQUIRETLS asked for and not offered (RFC 8689 §4.2.1): 5.7.30
};

[[nodiscard]] std::optional<Unfit> find_unfit(
    const PeerExtensions& peer, const MailTransaction& transaction);

// What became of one recipient. Without a reply: nothing was said before the connection went.
struct RecipientOutcome {
    ClientStage stage = ClientStage::mail;  // where it was decided, or where the dialogue stopped
    std::optional<PeerReply> reply;
    // RFC 5321 §4.5.3.1.10: a 552 at RCPT after an accepted RCPT that gives no other reason stands
    // for 452, too many recipients.
    bool means_too_many_recipients = false;
};

class ClientProtocol {
  public:
    enum class Next : std::uint8_t {
        write,  // take_flight() and write it
        read,   // read a reply, give it to on_reply()
        // Stream the content, then on_body_sent(): dot-stuffed with its final dot, or as it is
        // behind chunk_command().
        send_body,
        finished,
    };

    ClientProtocol(const PeerExtensions& peer, MailTransaction transaction);

    [[nodiscard]] Next next() const noexcept { return next_; }

    [[nodiscard]] std::string take_flight();

    // Content leaves as one chunk of exactly `size` octets.
    [[nodiscard]] bool is_chunked() const noexcept { return chunked_; }

    // The flight taken last goes on with chunk_command() and the content in the same write, then
    // on_body_sent(): a further message costs one round trip (decisions §2.7).
    [[nodiscard]] bool has_body_in_flight() const noexcept { return body_in_flight_; }

    [[nodiscard]] std::string chunk_command() const;

    [[nodiscard]] std::uint64_t size() const noexcept { return transaction_.size; }

    [[nodiscard]] bool is_body_sent() const noexcept { return body_sent_; }

    void on_reply(PeerReply reply);
    void on_body_sent();
    // A reply that came before the body was whole. 2yz: the peer lost its way, nobody is delivered.
    // In any case the connection is of no further use.
    void on_early_reply(const PeerReply& reply);

    // The stage whose reply is awaited or whose octets are being written: sets the driver's
    // deadline and tells where a connection was lost.
    [[nodiscard]] ClientStage stage() const noexcept;

    // In the order of the transaction's recipients. Delivered: stage end_of_data and a 2yz reply.
    [[nodiscard]] const std::vector<RecipientOutcome>& outcomes() const noexcept {
        return outcomes_;
    }

    // The peer said 421 (RFC 5321 §3.8), or the dialogue is out of step: close, never reuse.
    [[nodiscard]] bool must_close() const noexcept { return must_close_; }

    // The peer may still hold an open transaction: RSET before the next MAIL.
    [[nodiscard]] bool needs_reset() const noexcept { return needs_reset_; }

    // The peer took responsibility for the recipients it accepted.
    [[nodiscard]] bool is_delivered() const noexcept { return delivered_; }

  private:
    [[nodiscard]] std::string mail_command() const;
    [[nodiscard]] std::string recipient_command(std::size_t recipient) const;
    [[nodiscard]] bool may_chunk() const noexcept;
    [[nodiscard]] bool more_commands() const noexcept;
    void append_command(std::string& out);
    void on_mail_reply(const PeerReply& reply);
    void on_rcpt_reply(std::size_t recipient, PeerReply reply);
    void on_data_reply(const PeerReply& reply);
    void on_end_of_data_reply(const PeerReply& reply);
    void on_recipient_delivery_reply(const PeerReply& reply);
    void decide_open(ClientStage stage, const PeerReply& reply);
    void leave_open(ClientStage stage);
    void stop(ClientStage stage, const PeerReply& reply);
    void advance();

    PeerExtensions peer_;
    MailTransaction transaction_;
    std::vector<RecipientOutcome> outcomes_;
    std::vector<bool> decided_;
    std::size_t commands_written_ = 0;  // of MAIL, RCPT…, DATA in their order
    std::size_t replies_read_ = 0;
    std::size_t accepted_ = 0;
    bool chunked_ = false;
    bool body_in_flight_ = false;
    bool sender_refused_ = false;
    Next next_ = Next::write;
    bool lone_dot_ = false;  // 354 though nobody is to get it: end at once (RFC 2920 §3.1)
    bool body_sent_ = false;
    bool must_close_ = false;
    bool needs_reset_ = false;
    bool delivered_ = false;
};

}  // namespace mailflow::smtp
