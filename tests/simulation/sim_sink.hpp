// A remote mail host: an SMTP server of few lines that takes what it is given, or fails in one of
// the ways of the field. It shares no code with the server under test, so that one cannot excuse
// the other. One thread.
#pragma once

#include "tests/simulation/sim_ledger.hpp"
#include "tests/simulation/sim_network.hpp"
#include "tests/simulation/sim_trace.hpp"
#include "transport/net/connection.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailflow::sim {

// How often each thing goes wrong, in thousandths.
struct SinkFaults {
    unsigned busy = 0;             // 421 instead of a greeting
    unsigned mail_refused = 0;     // 451 to MAIL
    unsigned recipient_later = 0;  // 450 to RCPT
    unsigned data_refused = 0;     // 451 to DATA
    unsigned drop_in_data = 0;     // closes inside the message
    unsigned message_later = 0;    // 451 to the final dot
    unsigned message_never = 0;    // 554 to the final dot
    unsigned close_after_dot = 0;  // takes the message, closes without an answer
    unsigned slow = 0;             // takes its time, sometimes more than anybody waits
};

class SimSink {
  public:
    // What others want to know of it. All optional.
    struct Hooks {
        std::function<void()> accepted;       // about to say 250 to the final dot
        std::function<void()> cut_after_dot;  // closed instead
    };

    struct Parts {
        Lane& lane;
        SimNetwork& network;
        Random& random;
        Ledger& ledger;
        Trace& trace;
        Hooks hooks;
    };

    // All parts outlive it. `open` comes separately.
    SimSink(Parts parts, std::string name, const IpAddress& address, SinkFaults faults);

    // The port answers; without, connections are refused.
    void open();
    void close();
    // Nothing goes wrong from now on.
    void heal();
    // For good: every session ends.
    void shut_down();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    [[nodiscard]] const IpAddress& address() const noexcept { return host_.address(); }

    [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }

  private:
    struct Session;

    Task<void> accept_loop(std::shared_ptr<Acceptor> acceptor);
    Task<void> serve(std::unique_ptr<Stream> stream);
    Task<bool> on_line(Session& session, std::string line);
    void on_recipient(Session& session, const std::string& line);
    Task<bool> receive(Session& session);
    Task<bool> end_message(Session& session);
    Task<void> dawdle();
    [[nodiscard]] bool happens(unsigned thousandths);

    Parts parts_;
    std::string name_;
    SimHost host_;
    SinkFaults faults_;
    std::shared_ptr<Acceptor> acceptor_;
    std::uint64_t taken_ = 0;
};

}  // namespace mailflow::sim
