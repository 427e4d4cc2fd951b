// One client on one receive connector: reads lines, lets ReceiveProtocol and Admission decide, does
// what they say. Owned by the frame of its own `run`; lives on one lane. Idle it holds no buffer
// and no transaction.
#pragma once

#include "server/receive/admission.hpp"
#include "server/receive/body_receiver.hpp"
#include "server/receive/receive_services.hpp"
#include "transport/net/connection.hpp"
#include "transport/smtp/receive_protocol.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// How a session reaches what belongs to the accepting lane.
class SessionHost {
  public:
    virtual ~SessionHost() = default;
    // One message of this client now? On any lane; asks the accepting lane.
    virtual Task<bool> take_message_token(
        Lane& lane, std::string connector, IpAddress client, std::uint32_t per_minute) = 0;
    // The session is over; on its lane. Never waits.
    virtual void session_ended(
        Lane& lane, const std::string& connector, const IpAddress& client) = 0;
};

class ReceiveSession final : private LiveSession {
  public:
    // `lane` and `host` outlive the session.
    ReceiveSession(
        ReceiveLane& lane, SessionHost& host, std::unique_ptr<Stream> stream, Rights rights);
    ~ReceiveSession() override;

    // To the end of the connection.
    static Task<void> run(std::unique_ptr<ReceiveSession> session);

  private:
    // What is to be done after a command, beyond the replies that are collected.
    enum class Step : std::uint8_t { go_on, recipient, rate, data, finish, drop };

    // From MAIL to the verdict on the message.
    struct Transaction {
        explicit Transaction(Rights r)
            : rights(std::move(r)) {}

        Rights rights;
        std::vector<QueuedRecipient> recipients;
        std::optional<ForwardPath> asked;  // the recipient to be judged
        std::uint32_t excess = 0;          // recipients over the limit
    };

    void stop() override;
    void abort() override;

    Task<void> serve();
    Task<Step> do_step(Step step);
    [[nodiscard]] Step on_line(const Result<std::string_view>& line);
    [[nodiscard]] Step perform(smtp::Action& action);
    [[nodiscard]] Step judge_sender(const smtp::Mail& mail);
    [[nodiscard]] Step refuse_sender(const smtp::Mail& mail, const Verdict& verdict);
    Task<Step> judge_rate();
    Task<Step> judge_recipient();
    void accept_recipient(const ForwardPath& path, ResolvedRecipient resolved);
    Task<Step> receive_message();
    Task<ErrorCode> receive_body(BodyReceiver& body);
    Task<Step> keep_message(QueueId id, BodyReceiver& body);
    [[nodiscard]] QueuedMessage make_message(QueueId id, BodyReceiver& body, StoredBody stored);
    void announce(QueuedMessagePtr message, const std::string& message_id);
    void refuse_message(QueueId id, const Verdict& verdict);
    void fail_message(QueueId id, const ErrorCode& error);
    void end_transaction(bool taken);

    void refresh_rights();
    void add(const smtp::Reply& reply);
    [[nodiscard]] Task<ErrorCode> flush();
    void set_command_deadline();

    [[nodiscard]] bool is_stopping() const noexcept { return stopping_ || lane_.stopping; }

    [[nodiscard]] const Log& log() const noexcept { return lane_.services.log; }

    [[nodiscard]] const IpAddress& client() const noexcept { return connection_.remote().address; }

    ReceiveLane& lane_;
    SessionHost& host_;
    Connection connection_;
    Rights rights_;
    std::string counted_as_;  // the connector's name when we were let in
    smtp::ReceiveProtocol protocol_;
    std::unique_ptr<Transaction> transaction_;
    std::string out_;  // replies not yet written
    MonotonicTime started_;
    bool waiting_ = false;  // for a command, all replies written
    bool stopping_ = false;
    bool quit_ = false;  // the client said QUIT
};

}  // namespace mailflow
