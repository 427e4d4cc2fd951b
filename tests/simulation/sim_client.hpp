// Programs that send mail to the simulated server: each session is a connection with one or more
// transactions, and writes down in the ledger what it was told. One thread.
#pragma once

#include "tests/simulation/sim_ledger.hpp"
#include "tests/simulation/sim_network.hpp"
#include "tests/simulation/sim_trace.hpp"
#include "transport/net/connection.hpp"

#include <functional>
#include <set>
#include <vector>

namespace mailflow::sim {

struct SessionPlan {
    Endpoint server;
    std::vector<std::size_t> attempts;
    bool pipelines = false;
    bool is_slow = false;  // pauses between the pieces of a message
    bool is_cut_after_dot =
        false;  // loses the connection between the last final dot and its answer
};

class SimClient {
  public:
    struct Hooks {
        std::function<void()> acknowledged;   // 250 to the final dot was read
        std::function<void()> cut_after_dot;  // the connection went while the answer was due
        // No final answer was given: the program wants to try again.
        std::function<void(std::size_t attempt)> unfinished;
    };

    struct Parts {
        Lane& lane;
        SimNetwork& network;
        Random& random;
        Ledger& ledger;
        Trace& trace;
        Hooks hooks;
    };

    SimClient(Parts parts, const IpAddress& address);

    void start(SessionPlan plan);

    // For good: every session ends.
    void shut_down() { host_.die(); }

    [[nodiscard]] std::size_t live() const noexcept { return live_; }

    // Attempts whose final dot is sent and not answered.
    [[nodiscard]] const std::set<std::size_t>& waiting() const noexcept { return waiting_; }

  private:
    struct Session;

    Task<void> run(SessionPlan plan);
    Task<bool> greet(Session& session);
    Task<bool> transact(Session& session, std::size_t number, bool is_last);
    Task<bool> ask_recipients(Session& session, std::size_t number);
    Task<bool> reset(Session& session);
    Task<bool> send_body(Session& session, std::size_t number);
    Task<bool> end(Session& session, std::size_t number, bool is_last);
    // The code of the next reply; 0 when the connection is gone.
    Task<int> reply(Session& session);
    Task<bool> write(Session& session, std::string bytes);
    Task<void> pause(std::uint64_t most_milliseconds);

    Parts parts_;
    SimHost host_;
    std::size_t live_ = 0;
    std::set<std::size_t> waiting_;
};

}  // namespace mailflow::sim
