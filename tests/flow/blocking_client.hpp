// SMTP from a test's own thread: blocking sockets, one reply at a time; and a sink that takes
// everything on a thread of its own. Only for tests that want the real flow between real sockets.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace mailflow {

class BlockingClient {
  public:
    // Connects to 127.0.0.1 and reads the greeting. Throws std::runtime_error.
    explicit BlockingClient(std::uint16_t port);
    ~BlockingClient();
    BlockingClient(const BlockingClient&) = delete;
    BlockingClient& operator=(const BlockingClient&) = delete;

    // The whole reply to a command.
    std::string say(const std::string& command);
    // One transaction; the reply to the final dot, or the first refusal.
    std::string send(const std::string& from, const std::string& to, const std::string& text);

  private:
    std::string read_reply();

    int socket_;
    std::string input_;
};

// Accepts any number of connections, one thread each, and counts the messages it took.
class BlockingSink {
  public:
    BlockingSink();
    ~BlockingSink();
    BlockingSink(const BlockingSink&) = delete;
    BlockingSink& operator=(const BlockingSink&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    [[nodiscard]] std::size_t messages() const noexcept { return messages_; }

  private:
    void serve(int socket);

    int listener_;
    std::uint16_t port_ = 0;
    std::atomic<std::size_t> messages_ = 0;
    std::thread acceptor_;
};

}  // namespace mailflow
