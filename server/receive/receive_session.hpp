// One client on one receive connector: reads lines, lets ReceiveProtocol and Admission decide, does
// what they say. Owned by the frame of its own `run`; lives on one lane. Idle it holds no buffer
// and no transaction. The files: receive_session.cpp is the loop, session_tls.cpp STARTTLS and TLS
// on connect, session_auth.cpp AUTH, session_identity.cpp rights and XCLIENT,
// session_transaction.cpp MAIL, RCPT and VRFY, session_body.cpp DATA and BDAT, session_message.cpp
// the verdict and the commit.
#pragma once

#include "server/receive/admission.hpp"
#include "server/receive/authenticator.hpp"
#include "server/receive/body_receiver.hpp"
#include "server/receive/message_facts.hpp"
#include "server/receive/offered_extensions.hpp"
#include "server/receive/receive_services.hpp"
#include "transport/mail/header_policy.hpp"
#include "transport/net/connection.hpp"
#include "transport/queue/categorize.hpp"
#include "transport/smtp/receive_protocol.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// How a session reaches what belongs to the accepting lane.
class SessionHost {
  public:
    virtual ~SessionHost() = default;
    // So much more of this source now? On any lane; asks the accepting lane.
    virtual Task<bool> take_tokens(
        Lane& lane, std::string key, RateLimits limits, RateLimiter::Use use) = 0;
    // The session is over; on its lane. Never waits.
    virtual void session_ended(
        Lane& lane, const std::string& connector, const IpAddress& client) = 0;
};

// How a connection came to its session.
struct Arrival {
    Rights rights;
    // What connectors are chosen by: the local address, and the port they are configured with (0:
    // the connector of `rights` and no other).
    Endpoint bound;
};

class ReceiveSession final : private LiveSession {
  public:
    // `lane` and `host` outlive the session.
    ReceiveSession(
        ReceiveLane& lane, SessionHost& host, std::unique_ptr<Stream> stream, Arrival arrival);
    ~ReceiveSession() override;

    // To the end of the connection.
    static Task<void> run(std::unique_ptr<ReceiveSession> session);

  private:
    // What is to be done after a command, beyond the replies that are collected. `wait`: the action
    // takes time, see `proceed`.
    enum class Step : std::uint8_t { go_on, wait, finish, drop };

    // From MAIL to the verdict on the message.
    struct Transaction {
        explicit Transaction(Rights r)
            : rights(std::move(r)) {}

        Rights rights;
        std::vector<CategorizeRequest::Recipient> recipients;
        std::vector<std::string> named;  // those, as RCPT had them, from the end of data on
        std::shared_ptr<const AddressTools> tools;
        std::uint32_t excess = 0;       // recipients over the limit
        bool lowered_priority = false;  // what MAIL asked for is not the client's to ask
        QueueId id;                     // from the first octet of the message on
        std::unique_ptr<BodyReceiver> body;
    };

    // Between AUTH and its end.
    struct Login {
        std::string mechanism;
        std::unique_ptr<AuthExchange> exchange;
    };

    struct Proceed;

    // Last words to a silent client.
    static constexpr std::string_view kIdleTimeout =
        "451 4.7.0 Timeout waiting for client input\r\n";

    // ---- the loop (receive_session.cpp)

    void stop() override;
    void abort() override;
    void stress_changed() override;

    [[nodiscard]] smtp::ReceiveProtocol::Settings protocol_settings() const;
    Task<void> serve();
    [[nodiscard]] smtp::Action next_action(const Result<std::string_view>& line);
    [[nodiscard]] smtp::Action give_to_protocol(std::string_view line);
    [[nodiscard]] Step perform(smtp::Action& action);
    [[nodiscard]] Task<Step> proceed(smtp::Action& action);
    [[nodiscard]] Step hang_up(const smtp::Reply& reply);
    [[nodiscard]] Step lost(const ErrorCode& error);
    void greet();
    void add(const smtp::Reply& reply);
    [[nodiscard]] Task<ErrorCode> flush();
    void set_command_deadline();
    Task<void> sleep(Duration duration);
    Task<void> tarpit();

    // ---- TLS (session_tls.cpp)

    Task<Step> begin_tls(smtp::Reply reply);
    Task<Step> begin_implicit_tls();
    Task<bool> shake_hands(TlsContextPtr context);

    // ---- AUTH (session_auth.cpp)

    Task<Step> begin_auth(smtp::BeginAuth& begin);
    Task<Step> continue_auth(std::optional<std::string> octets);
    [[nodiscard]] Step log_in(const AuthStep& result);
    Task<Step> refuse_auth(const AuthStep& result, MonotonicTime since);
    void cancel_auth();

    // ---- who the client is (session_identity.cpp)

    void refresh_rights();
    void update_rights();
    void set_own_limits();
    void update_extensions();
    [[nodiscard]] Standing standing() const noexcept;
    [[nodiscard]] bool may_xclient() const noexcept;
    Task<Step> apply_xclient(smtp::Xclient& attributes);
    [[nodiscard]] bool choose_connector();

    // ---- MAIL, RCPT, VRFY (session_transaction.cpp)

    [[nodiscard]] Step judge_sender_at_once(const smtp::Mail& mail);
    Task<Step> judge_sender(smtp::Mail& mail);
    void accept_sender(const smtp::Mail& mail);
    void refuse_sender(const smtp::Mail& mail, const Verdict& verdict);
    Task<bool> take_tokens(RateLimiter::Use use);
    Task<Step> judge_recipient(smtp::Rcpt& rcpt);
    void accept_recipient(const smtp::Rcpt& rcpt, ResolvedRecipient resolved);
    [[nodiscard]] bool may_expand() const noexcept;
    Task<Step> answer_group(MailRecipientPtr group);
    Task<Step> answer_name(smtp::CheckName& name);

    // ---- DATA, BDAT (session_body.cpp)

    Task<Step> receive_message(smtp::Reply go_ahead);
    Task<Step> receive_chunk(smtp::ReceiveChunk chunk);
    Task<Step> refuse_chunk(smtp::ReceiveChunk chunk, smtp::Reply reply);
    Task<Step> discard_chunk(std::uint64_t size, smtp::Reply reply);
    Task<ErrorCode> open_body(BodyReceiver::Framing framing);
    Task<ErrorCode> receive_body(BodyReceiver& body);
    [[nodiscard]] MonotonicTime octets_deadline(MonotonicTime start, std::uint64_t octets) const;
    [[nodiscard]] MonotonicTime body_deadline(const BodyReceiver& body) const;
    void note_content(std::uint64_t octets);

    // ---- the message (session_message.cpp)

    Task<Step> keep_message();
    [[nodiscard]] std::string make_trace(UtcTime accepted) const;
    [[nodiscard]] QueuedMessage make_message(
        UtcTime accepted, StoredBody stored, HeaderDecision decision);
    void complete_envelope(Envelope& envelope) const;
    [[nodiscard]] CategorizeRequest categorize_request(
        const HeaderDecision& decision, std::uint64_t size, UtcTime now);
    Task<Step> commit_message(
        QueuedMessage message, Categorized categorized, std::string own_message_id);
    void track_received(const QueuedMessage& message, const std::string& message_id);
    void announce(Submission submission);
    void log_refusal(const Verdict& verdict);
    void refuse_message(const Verdict& verdict);
    [[nodiscard]] smtp::Reply message_failed(const ErrorCode& error);
    void end_transaction(bool taken);

    [[nodiscard]] bool is_stopping() const noexcept { return stopping_ || lane_.stopping; }

    [[nodiscard]] bool is_stressed() const noexcept;

    [[nodiscard]] const Log& log() const noexcept { return lane_.services.log; }

    [[nodiscard]] const ReceiveServices& services() const noexcept { return lane_.services; }

    [[nodiscard]] const Clock& clock() const noexcept { return lane_.services.lane.clock(); }

    // For logs and tracking.
    [[nodiscard]] static std::string sender_text(const ReversePath& path) {
        return path.is_null() ? "<>" : path.text();
    }

    void count_refusal(std::string_view reason);
    void note(std::string_view text, std::string_view context = {});

    ReceiveLane& lane_;
    SessionHost& host_;
    Connection connection_;
    Rights rights_;
    Endpoint bound_;
    std::string counted_as_;  // the connector's name when we were let in
    IpAddress client_;        // whom the session is for; XCLIENT may say
    smtp::ReceiveProtocol protocol_;
    std::unique_ptr<Transaction> transaction_;
    std::unique_ptr<TlsFacts> tls_;  // null: in clear
    std::unique_ptr<Login> login_;   // under way
    MailRecipientPtr account_;       // who has logged in
    std::unique_ptr<ProtocolLogSession> protocol_log_;
    std::string out_;  // replies not yet written
    MonotonicTime started_;
    std::uint32_t failed_logons_ = 0;
    CountedVerb verb_ = CountedVerb::connect;  // what is being answered
    SessionOutcome outcome_ = SessionOutcome::lost;
    bool waiting_ = false;  // for a command, all replies written
    bool stopping_ = false;
};

}  // namespace mailflow
