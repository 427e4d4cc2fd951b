// SMTP from a test's own thread: blocking sockets, one reply at a time; and a sink that takes
// everything, or what its script lets it, on a thread of its own. Only for tests that want the real
// flow between real sockets.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
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

// Accepts any number of connections, one thread each, and counts the messages it took. Speaks LMTP
// (RFC 2033 §4.2) to who says LHLO: a reply for each recipient behind the text.
class BlockingSink {
  public:
    // The reply to a line the client said, without line end; empty: as a sink replies. Of LMTP the
    // replies behind the text are asked for with `. ` and the RCPT they are about. From several
    // threads.
    using Script = std::function<std::string(const std::string& line)>;

    explicit BlockingSink(Script script = {});
    ~BlockingSink();
    BlockingSink(const BlockingSink&) = delete;
    BlockingSink& operator=(const BlockingSink&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    [[nodiscard]] std::size_t messages() const noexcept { return messages_; }

    // Every line of every client, the text of messages too.
    [[nodiscard]] std::vector<std::string> lines() const;
    [[nodiscard]] bool has_heard(const std::string& line) const;
    [[nodiscard]] std::size_t times_heard(const std::string& beginning) const;

  private:
    void serve(int socket);
    void keep(const std::string& line);
    [[nodiscard]] std::string reply_to(const std::string& line, const char* usual) const;
    // The usual replies, with the script's in place of them.
    std::string answer(const std::string& line, std::vector<std::string>& recipients, bool& lmtp);
    std::string answer_text(const std::vector<std::string>& recipients, bool lmtp);

    Script script_;
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
    int listener_;
    std::uint16_t port_ = 0;
    std::atomic<std::size_t> messages_ = 0;
    std::thread acceptor_;
};

}  // namespace mailflow
