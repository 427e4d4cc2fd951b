// Blocking sockets with a time limit and a way to be woken: all that a test peer with a thread per
// connection needs.
#pragma once

#include "transport/base/ip_address.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace mailflow::lab {

// A descriptor that is closed when this goes.
class Handle {
  public:
    Handle() noexcept = default;

    explicit Handle(int number) noexcept
        : number_(number) {}

    ~Handle() { reset(); }

    Handle(Handle&& other) noexcept
        : number_(std::exchange(other.number_, -1)) {}

    Handle& operator=(Handle&& other) noexcept {
        if (this != &other) {
            reset();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }

    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    [[nodiscard]] int number() const noexcept { return number_; }

    explicit operator bool() const noexcept { return number_ >= 0; }

    void reset() noexcept;

  private:
    int number_ = -1;
};

// Once set it stays set and ends every wait it is given to. Any thread.
class Interrupt {
  public:
    Interrupt();
    void set() noexcept;
    [[nodiscard]] bool is_set() const noexcept;

    [[nodiscard]] int number() const noexcept { return event_.number(); }

  private:
    Handle event_;
};

enum class Waited { ready, timed_out, interrupted };
enum class Direction { read, write };

// A negative timeout waits for ever.
[[nodiscard]] Waited wait_for(
    int descriptor,
    Direction direction,
    std::chrono::milliseconds timeout,
    const Interrupt* interrupt);
// Sleeps, unless interrupted.
void pause_for(std::chrono::milliseconds time, const Interrupt& interrupt);

struct Bound {
    Handle socket;
    Endpoint endpoint;  // with the port the system chose
};

// These throw std::system_error.
[[nodiscard]] Bound listen_tcp(const Endpoint& endpoint);
[[nodiscard]] Bound bind_udp(const Endpoint& endpoint);

// A TCP connection read by lines. Any failure or time-out reads as the end.
class LineSocket {
  public:
    LineSocket(
        Handle socket, std::chrono::milliseconds timeout, const Interrupt* interrupt) noexcept
        : socket_(std::move(socket))
        , timeout_(timeout)
        , interrupt_(interrupt) {}

    // Nothing when it cannot be had in time.
    [[nodiscard]] static std::optional<LineSocket> connect(
        const Endpoint& remote,
        std::chrono::milliseconds timeout,
        const Interrupt* interrupt = nullptr);

    // Without its CRLF (or bare LF). Nothing at the end of the stream or beyond `limit` octets.
    [[nodiscard]] std::optional<std::string> read_line(std::size_t limit);

    // The line returned last ended with a bare LF.
    [[nodiscard]] bool last_line_was_bare() const noexcept { return bare_; }

    // False when not all could be written.
    bool write(std::string_view bytes);
    // Something has arrived that no read_line has returned yet.
    [[nodiscard]] bool has_input();
    // Ends at once with a reset, as a crashed peer would.
    void abort() noexcept;

  private:
    bool fill();

    Handle socket_;
    std::chrono::milliseconds timeout_;
    const Interrupt* interrupt_;
    std::string input_;
    std::size_t start_ = 0;
    bool bare_ = false;
};

// The next connection and its peer; nothing when interrupted.
[[nodiscard]] std::optional<std::pair<Handle, Endpoint>> accept_tcp(
    const Handle& listener, const Interrupt& interrupt);

}  // namespace mailflow::lab
