// Lines and octets over a Stream, with one deadline. Knows bytes, not SMTP. An idle connection holds no buffer: input is
// read into the lane's scratch and only what is not consumed yet is kept. Used on its lane only.
#pragma once

#include "transport/net/deadline_wheel.hpp"
#include "transport/net/lane.hpp"
#include "transport/net/stream.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace mailflow {

class Connection final : private Deadline {
  public:
    Connection(Lane& lane, std::unique_ptr<Stream> stream);
    ~Connection() override;

    // The next line without its line end (CRLF; a bare LF ends a line too and is reported by `last_line_was_bare`).
    // Valid until the next call on this connection or the next co_await of its user. A line longer than `limit` octets
    // (line end excluded) is discarded up to its end in bounded memory: Error::line_too_long, the connection goes on.
    Task<Result<std::string_view>> read_line(std::size_t limit);
    [[nodiscard]] bool last_line_was_bare() const noexcept { return bare_; }

    // Whatever is there, at least one octet; waits when nothing is. Nothing is consumed.
    Task<Result<std::string_view>> read_some();
    // Removes octets from the front of what `read_some` returned.
    void consume(std::size_t count) noexcept;
    // Octets received and not consumed (pipelined commands, or bytes where none may be).
    [[nodiscard]] std::size_t buffered() const noexcept { return input_.size() - start_; }

    // Writes all, waiting as needed.
    Task<ErrorCode> write(std::string_view bytes);

    // From now on, every wait ends with Error::timed_out at `when`, and the stream is closed.
    void set_deadline(MonotonicTime when);
    void expires_after(Duration duration);
    [[nodiscard]] bool is_expired() const noexcept { return expired_; }

    // Closes at once; a waiter resumes with Error::cancelled.
    void close() noexcept;
    void shutdown_send() noexcept { stream_->shutdown_send(); }

    [[nodiscard]] Lane& lane() noexcept { return lane_; }
    [[nodiscard]] const Endpoint& local() const noexcept { return stream_->local(); }
    [[nodiscard]] const Endpoint& remote() const noexcept { return stream_->remote(); }

  private:
    void on_expired() override;
    Task<ErrorCode> fill();
    void release_if_empty() noexcept;

    Lane& lane_;
    std::unique_ptr<Stream> stream_;
    std::string input_;      // received, from start_ on not consumed
    std::size_t start_ = 0;
    bool bare_ = false;
    bool expired_ = false;
    bool closed_ = false;
};

}  // namespace mailflow
