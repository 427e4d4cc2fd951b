// One end of a simulated connection, and the listening port it came through. Ends share two pipes;
// what one end writes arrives at the other after the latency, in order, unless the connection is
// cut before. One thread.
#pragma once

#include "tests/simulation/sim_network.hpp"
#include "transport/base/one_shot.hpp"

namespace mailflow::sim {

// Octets on their way in one direction.
struct SimPipe {
    static constexpr std::size_t kWindow = 64 * 1024;

    std::string arrived;
    std::size_t in_flight = 0;
    std::uint64_t written = 0;
    std::optional<std::uint64_t> cut_after;
    bool finished = false;  // the writer has ended its side, and the end has arrived
    MonotonicTime last_arrival{};
};

struct SimConnection {
    SimPipe to_server;
    SimPipe to_client;
    bool reset = false;
    SimStream* client = nullptr;  // null once that end is gone
    SimStream* server = nullptr;
    std::chrono::milliseconds latency{5};
};

class SimStream final : public Stream {
  public:
    enum class Side { client, server };

    SimStream(
        SimHost& host,
        std::shared_ptr<SimConnection> connection,
        Side side,
        Endpoint local,
        Endpoint remote);
    ~SimStream() override;
    SimStream(const SimStream&) = delete;
    SimStream& operator=(const SimStream&) = delete;

    Result<std::size_t> try_read(std::span<char> into) noexcept override;
    Result<std::size_t> try_write(std::span<const char> from) noexcept override;
    Task<ErrorCode> wait(Readiness readiness) override;
    void shutdown_send() noexcept override;
    void close() noexcept override;

    [[nodiscard]] const Endpoint& local() const noexcept override { return local_; }

    [[nodiscard]] const Endpoint& remote() const noexcept override { return remote_; }

    // The other end or the network did something: whoever waits looks again.
    void wake();
    // Reset from outside: both ends fail from now on.
    void reset();

  private:
    [[nodiscard]] SimPipe& input() noexcept;
    [[nodiscard]] SimPipe& output() noexcept;
    [[nodiscard]] SimStream* peer() noexcept;
    [[nodiscard]] bool is_ready(Readiness readiness) noexcept;
    void send(std::string bytes);
    void send_end();

    SimHost* host_;  // null once the host is gone
    std::shared_ptr<SimConnection> connection_;
    Side side_;
    Endpoint local_;
    Endpoint remote_;
    std::uint64_t serial_;
    bool closed_ = false;
    bool send_ended_ = false;

    struct Waiter {
        Readiness readiness;
        OneShot<ErrorCode>* done;
    };

    std::vector<Waiter> waiters_;

    friend class SimHost;
};

class SimAcceptor final : public Acceptor {
  public:
    SimAcceptor(SimHost& host, Endpoint local);
    ~SimAcceptor() override;
    SimAcceptor(const SimAcceptor&) = delete;
    SimAcceptor& operator=(const SimAcceptor&) = delete;

    Task<Result<std::unique_ptr<Stream>>> accept(Lane& lane) override;
    void close() noexcept override;

    [[nodiscard]] const Endpoint& local() const noexcept override { return local_; }

    // A connection reached this port.
    void offer(std::unique_ptr<SimStream> stream);

  private:
    friend class SimHost;
    SimHost* host_;
    Endpoint local_;
    bool closed_ = false;
    std::deque<std::unique_ptr<SimStream>> backlog_;
    OneShot<bool>* waiter_ = nullptr;
};

}  // namespace mailflow::sim
