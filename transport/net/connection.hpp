// Lines and octets over a Stream, with one deadline. Knows bytes, not SMTP. An idle connection
// holds no buffer: input is read into the lane's scratch and only what is not consumed yet is kept.
// Used on its lane only.
#pragma once

#include "transport/base/error.hpp"
#include "transport/net/deadline_wheel.hpp"
#include "transport/net/lane.hpp"
#include "transport/net/stream.hpp"
#include "transport/net/tls_stream.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

// Takes octets straight from the lane's scratch: the way of message bodies, which are never copied
// into the connection.
class OctetSink {
  public:
    virtual ~OctetSink() = default;
    // Returns how many octets it took, from the front; the rest stays with the connection. Must not
    // touch the connection.
    virtual std::size_t take(std::string_view octets) = 0;
};

class Connection final : private Deadline {
  public:
    Connection(Lane& lane, std::unique_ptr<Stream> stream);
    ~Connection() override;

    // The next line without its line end (CRLF; a bare LF ends a line too and is reported by
    // `last_line_was_bare`). Valid until the next call on this connection or the next co_await of
    // its user. A line longer than `limit` octets (line end excluded) is discarded up to its end in
    // bounded memory: Error::line_too_long, the connection goes on.
    Task<Result<std::string_view>> read_line(std::size_t limit);

    [[nodiscard]] bool last_line_was_bare() const noexcept { return bare_; }

    // The same without waiting, from octets already received; nothing when no line end is among
    // them.
    [[nodiscard]] std::optional<Result<std::string_view>> buffered_line(std::size_t limit);

    // Waits until octets are there and hands all of them to the sink, once.
    Task<ErrorCode> read_to(OctetSink& sink);

    // Whatever is there, at least one octet; waits when nothing is. Nothing is consumed.
    Task<Result<std::string_view>> read_some();
    // Removes octets from the front of what `read_some` returned.
    void consume(std::size_t count) noexcept;

    // Octets received and not consumed (pipelined commands, or bytes where none may be).
    [[nodiscard]] std::size_t buffered() const noexcept { return input_.size() - start_; }

    // Takes in what has already arrived, without waiting; true when octets are buffered now.
    [[nodiscard]] bool has_input();

    // The last read found the peer's end or an error: has_input() saw it without waiting.
    [[nodiscard]] bool has_ended() const noexcept { return ended_reading_; }

    // Writes what the stream takes now and removes it from `bytes`; Error::would_block when some is
    // left.
    [[nodiscard]] ErrorCode try_write(std::string_view& bytes) noexcept;
    // Writes all, waiting as needed.
    Task<ErrorCode> write(std::string_view bytes);

    // RFC 3207: from here on the stream is TLS, we being its server. Octets buffered before are an
    // error of the caller: the connection must hold none. On failure the connection is closed;
    // `why` (not null) says it in words.
    Task<Result<TlsFacts>> start_tls(
        std::shared_ptr<ssl_ctx_st> context, MonotonicTime deadline, std::string* why);

    // The same, we being its client; `server_name` goes into SNI unless empty. What the certificate
    // is worth is for the caller to judge.
    Task<Result<TlsFacts>> start_tls_as_client(
        std::shared_ptr<ssl_ctx_st> context,
        std::string server_name,
        MonotonicTime deadline,
        std::string* why);
    // And compares the chain with TLSA records on the way.
    Task<Result<TlsFacts>> start_tls_as_client(
        std::shared_ptr<ssl_ctx_st> context,
        TlsExpectation expectation,
        MonotonicTime deadline,
        std::string* why);

    // From now on, every wait ends with Error::timed_out at `when`, and the stream is closed.
    void set_deadline(MonotonicTime when);
    void expires_after(Duration duration);

    void clear_deadline() noexcept { lane_.wheel().clear(*this); }

    // Written, if the stream takes it, before a deadline closes the stream. A literal: kept by
    // reference. Not written when the deadline interrupts a reply.
    void set_last_words(std::string_view literal) noexcept { last_words_ = literal; }

    [[nodiscard]] bool is_expired() const noexcept { return expired_; }

    // Writes `words` if the stream takes them and no write is under way, then closes. A waiter
    // resumes with Error::cancelled.
    void close_with(std::string_view words) noexcept;
    // Closes at once; a waiter resumes with Error::cancelled.
    void close() noexcept;

    void shutdown_send() noexcept { stream_->shutdown_send(); }

    // Ends our sending side and drops what still comes, for at most `patience` and kMaxDropped
    // octets: closing with unread input resets the connection and may take our last reply with it.
    // Then closes.
    Task<void> finish(Duration patience);

    [[nodiscard]] Lane& lane() noexcept { return lane_; }

    [[nodiscard]] const Endpoint& local() const noexcept { return stream_->local(); }

    [[nodiscard]] const Endpoint& remote() const noexcept { return stream_->remote(); }

  private:
    void on_expired() override;
    Task<Result<TlsFacts>> encrypt(
        const std::shared_ptr<ssl_ctx_st>& context,
        TlsRole role,
        const TlsExpectation& expectation,
        MonotonicTime deadline,
        std::string* why);
    // One read into the scratch: the octets, Error::would_block, or why there will be none.
    Result<std::string_view> receive() noexcept;
    [[nodiscard]] ErrorCode ended() const noexcept;

    [[nodiscard]] std::string_view unread() const noexcept {
        return std::string_view(input_).substr(start_);
    }

    std::optional<Result<std::string_view>> line_from(
        std::string_view octets, std::size_t limit, std::size_t& used) noexcept;
    void release_if_empty() noexcept;

    Lane& lane_;
    std::unique_ptr<Stream> stream_;
    std::string input_;  // received, from start_ on not consumed
    std::size_t start_ = 0;
    std::string_view last_words_;
    bool bare_ = false;
    bool discarding_ = false;  // inside a line that is too long
    bool drained_ = true;      // the last read found less than it could have: wait before the next
    bool ended_reading_ = false;
    bool writing_ = false;
    bool expired_ = false;
    bool closed_ = false;
};

}  // namespace mailflow
