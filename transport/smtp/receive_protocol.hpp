// The server side of one SMTP session as a state machine without I/O. The driver (server/receive)
// gives it lines and does what the Action says; for a Check it asks Admission and then calls
// exactly one `…_accepted` or `…_refused`. It holds the envelope being built and counts what wears
// its patience. Choosing the text of every protocol reply happens here.
#pragma once

#include "transport/mail/envelope.hpp"
#include "transport/smtp/command_parser.hpp"
#include "transport/smtp/extensions.hpp"
#include "transport/smtp/reply.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace mailflow::smtp {

// `auth`: between AUTH and its end; `mail`: a sender is accepted; `rcpt`: a recipient too; `bdat`:
// chunks have come, the last has not; `data`: between 354 or the last chunk and the verdict on the
// message.
enum class Phase : std::uint8_t { connected, greeted, auth, mail, rcpt, bdat, data };

// Send the reply, read the next command.
struct SendReply {
    Reply reply;
};

// Judge the name, then helo_accepted() or helo_refused().
struct CheckHelo {
    std::string name;
    bool extended = false;  // EHLO
};

// Judge the sender, then sender_accepted() or sender_refused().
struct CheckSender {
    Mail mail;
};

// Judge the recipient, then recipient_accepted() or recipient_refused().
struct CheckRecipient {
    Rcpt recipient;
};

// Look the name up and answer (250 with the address, 550 5.1.1, 252); nothing to tell the protocol.
struct CheckName {
    std::string name;
    bool expand = false;  // EXPN
};

// If octets are buffered: on_unauthorized_pipelining(). Else send the 220, shake hands, then
// tls_started(); or start_tls_failed() when there is no certificate after all.
struct BeginTls {
    Reply reply;
};

// Begin an exchange; then auth_challenge(), auth_succeeded() or auth_failed().
struct BeginAuth {
    std::string mechanism;
    std::optional<std::string> initial;
};

// The client's answer to a challenge, decoded.
struct AuthResponse {
    std::string octets;
};

// The client gave the exchange up with `*`: forget it, send the reply.
struct AuthCancelled {
    Reply reply;
};

// Then xclient_applied(), which starts the session anew, or SendReply's like with a refusal.
struct ApplyXclient {
    Xclient attributes;
};

// RFC 3030: take exactly `size` octets as part of the message, then chunk_received() unless `last`;
// for the last one, what follows DATA's end follows.
struct ReceiveChunk {
    std::uint64_t size = 0;
    bool last = false;
};

// Read and drop exactly `size` octets, then send the reply. Refusing the last chunk ends the
// transaction: phase() tells.
struct DiscardChunk {
    std::uint64_t size = 0;
    Reply reply;
};

// Send the 354 reply and receive the message, then end_transaction(); or refuse with another reply
// and end_transaction().
struct ReceiveData {
    Reply reply;
};

// Send the reply and close.
struct Hangup {
    Reply reply;
};

// Close without a word.
struct Drop {};

using Action = std::variant<
    SendReply,
    CheckHelo,
    CheckSender,
    CheckRecipient,
    CheckName,
    BeginTls,
    BeginAuth,
    AuthResponse,
    AuthCancelled,
    ApplyXclient,
    ReceiveData,
    ReceiveChunk,
    DiscardChunk,
    Hangup,
    Drop>;

class ReceiveProtocol {
  public:
    struct Settings {
        std::string fqdn;    // what the EHLO reply says we are
        std::string client;  // the client's address, for the EHLO reply
        ExtensionSet extensions;
        std::optional<std::uint32_t> max_protocol_errors =
            5;                                 // syntax and sequence errors; none: unlimited
        bool requires_tls = false;             // MAIL and AUTH outside TLS: 530 5.7.0
        bool without_auth = false;             // not inside TLS either: AUTH is 502, never 538
        bool requires_ehlo_domain = false;     // EHLO and HELO need a name with a dot or a literal
        std::uint64_t max_chunk = UINT64_MAX;  // a larger BDAT: 552, session over, nothing read
        std::string
            banner{};  // behind 220, for xclient_applied(); empty: `fqdn ESMTP mailflow ready`
    };

    explicit ReceiveProtocol(Settings settings)
        : settings_(std::move(settings)) {}

    // A whole command line without its line end; never in phase `data`. In phase `auth`: the
    // client's answer.
    [[nodiscard]] Action on_command(std::string_view line);
    // Octets a line may have without its line end: RFC 4954 §4 wants more where AUTH is offered.
    [[nodiscard]] std::size_t max_line() const noexcept;
    // A line over max_line(), already discarded up to its end.
    [[nodiscard]] Action on_line_too_long();

    // The command just given must be the last of a pipelined group (RFC 2920 §3.1): input already
    // buffered behind it is unauthorised pipelining; answer with on_unauthorized_pipelining().
    // After ReceiveData too (attack case 10).
    [[nodiscard]] bool must_end_group() const noexcept { return ends_group_; }

    // `554 5.5.0`, session over. Also for input before the greeting.
    [[nodiscard]] static Hangup on_unauthorized_pipelining();

    // ---- verdicts of the driver. The replies are for the driver to send.

    // `250 fqdn Hello [client]`, after EHLO with the keywords. Drops an open transaction (RFC 5321
    // §4.1.4).
    [[nodiscard]] Reply helo_accepted();
    // State unchanged (RFC 5321 §4.1.4).
    void helo_refused() noexcept;
    // `now` is what HOLDFOR counts from (RFC 4865).
    [[nodiscard]] Reply sender_accepted(UtcTime now = UtcTime{});
    void sender_refused() noexcept;
    [[nodiscard]] Reply recipient_accepted();
    void recipient_refused() noexcept;
    // `334` with the challenge in base64; what comes next is an AuthResponse or AuthCancelled.
    [[nodiscard]] Reply auth_challenge(std::string_view octets);
    // `235 2.7.0`; `account` is shown by account(). `octets`: additional data of the mechanism,
    // sent as a last challenge is the driver's business.
    [[nodiscard]] Reply auth_succeeded(std::string account);
    // The reply is the driver's: 535 5.7.8, 454 4.7.0 …
    void auth_failed() noexcept;
    // RFC 3207 §4.2: the session is as new, nothing of before is remembered; HELO must come again.
    void tls_started() noexcept;
    // `454 4.7.0 TLS not available`
    [[nodiscard]] Reply start_tls_failed() noexcept;
    // `220` with the banner's text, as after connect. With a HELO name the session is greeted by
    // it. `account`: who the front end says has logged in.
    [[nodiscard]] Reply xclient_applied(
        std::string client, std::optional<std::string> helo, std::string account = {});
    // `250 2.6.0 n octets received`
    [[nodiscard]] Reply chunk_received(std::uint64_t size);

    // The driver refused a chunk that was not the last: those that follow are discarded.
    void chunk_refused() noexcept { chunk_failed_ = true; }

    // Any reply as this session may send it: without its enhanced code when those are not offered
    // (RFC 2034 §3). Replies of this class come so; for the driver's own.
    [[nodiscard]] Reply fitted(Reply reply) const;

    // The session is another connector's from now on (XCLIENT): before xclient_applied().
    void set_settings(Settings settings) { settings_ = std::move(settings); }

    // From now on: before the next EHLO, after TLS and AUTH.
    void set_extensions(ExtensionSet extensions) { settings_.extensions = std::move(extensions); }

    // The message was taken or refused, or DATA was: the envelope is dropped, the session is
    // greeted. `taken` forgives the idle commands so far.
    void end_transaction(bool taken) noexcept;

    [[nodiscard]] Phase phase() const noexcept { return phase_; }

    // Valid in phases mail, rcpt and data.
    [[nodiscard]] const Envelope& envelope() const noexcept { return envelope_; }

    // For the Submission; the protocol keeps an empty one until end_transaction().
    [[nodiscard]] Envelope take_envelope() noexcept;

    // Empty before HELO.
    [[nodiscard]] const std::string& helo() const noexcept { return helo_; }

    // The session greeted with EHLO.
    [[nodiscard]] bool is_extended() const noexcept { return extended_; }

    [[nodiscard]] std::uint32_t protocol_errors() const noexcept { return errors_; }

    [[nodiscard]] bool is_secure() const noexcept { return secure_; }

    // Empty: nobody logged in.
    [[nodiscard]] const std::string& account() const noexcept { return account_; }

    // RFC 3848, RFC 6531 §4.3: keyword for the `with` clause of Received: SMTP, ESMTP, ESMTPS,
    // ESMTPA, ESMTPSA, UTF8SMTP, UTF8SMTPS, UTF8SMTPA or UTF8SMTPSA.
    [[nodiscard]] const char* with_keyword() const noexcept;

  private:
    [[nodiscard]] Action take_line(std::string_view line);
    [[nodiscard]] Action on_syntax_error(std::string_view verb, Reply reply);
    [[nodiscard]] Action on_auth_line(std::string_view line);
    [[nodiscard]] std::optional<Action> refuse_without_tls(const Command& command);
    [[nodiscard]] Action must_start_tls();

    [[nodiscard]] Action on(Helo& helo);
    [[nodiscard]] Action on(Ehlo& ehlo);
    [[nodiscard]] Action on(Mail& mail);
    [[nodiscard]] Action on(Rcpt& rcpt);
    [[nodiscard]] Action on(Data& data);
    [[nodiscard]] Action on(Bdat& chunk);
    [[nodiscard]] Action on(Rset& rset);
    [[nodiscard]] Action on(Noop& noop);
    [[nodiscard]] Action on(Vrfy& vrfy);
    [[nodiscard]] Action on(Expn& expn);
    [[nodiscard]] Action on(Help& help);
    [[nodiscard]] Action on(Quit& quit);
    [[nodiscard]] Action on(StartTls& start);
    [[nodiscard]] Action on(Auth& auth);
    [[nodiscard]] Action on(Xclient& client);
    [[nodiscard]] Action on(Unsupported& command);
    [[nodiscard]] Action on(Unknown& command);
    [[nodiscard]] Action on(ForeignProtocol& command);

    [[nodiscard]] Action hello(std::string name, bool extended);
    [[nodiscard]] std::optional<Reply> find_unfit(const Mail& mail) const;
    [[nodiscard]] std::optional<Action> refuse_message();
    [[nodiscard]] Action discard(const Bdat& chunk, Action refusal);
    [[nodiscard]] Action not_offered();
    [[nodiscard]] Action idle(Action action);
    [[nodiscard]] Action protocol_error(Reply reply);
    [[nodiscard]] Action fitted(Action action) const;
    void drop_transaction() noexcept;
    void forget_client() noexcept;

    [[nodiscard]] bool in_transaction() const noexcept {
        return phase_ != Phase::connected && phase_ != Phase::greeted;
    }

    // What a Check asked about, kept until its verdict.
    using Pending = std::variant<std::monostate, CheckHelo, Mail, ForwardPath, Xclient>;

    Settings settings_;
    Phase phase_ = Phase::connected;
    Envelope envelope_;
    std::string helo_;
    bool extended_ = false;
    bool secure_ = false;
    std::string account_;
    bool ends_group_ = false;
    bool sender_refused_ =
        false;  // since then no MAIL: its RCPTs and DATA in the same group are no errors
    bool recipient_refused_ = false;  // in this transaction
    bool chunk_failed_ = false;       // in this transaction
    std::uint32_t errors_ = 0;
    std::uint32_t idle_commands_ = 0;
    std::uint32_t mails_ = 0;
    Pending pending_{};
};

}  // namespace mailflow::smtp
