// One connected, non-blocking byte stream: TCP, a Unix socket, or the simulated network. Used on
// its lane only.
#pragma once

#include "transport/base/ip_address.hpp"
#include "transport/base/result.hpp"
#include "transport/base/task.hpp"

#include <cstddef>
#include <span>

namespace mailflow {

enum class Readiness { readable, writable };

class Stream {
  public:
    virtual ~Stream() = default;

    // At least one octet, or Error::would_block, Error::end_of_stream, or the system's error. Never
    // waits.
    virtual Result<std::size_t> try_read(std::span<char> into) noexcept = 0;
    virtual Result<std::size_t> try_write(std::span<const char> from) noexcept = 0;
    // Returns when a try may move octets again, or with the error that ended the stream.
    // Error::cancelled after close.
    virtual Task<ErrorCode> wait(Readiness readiness) = 0;
    // Ends our sending side; what was written is still delivered.
    virtual void shutdown_send() noexcept = 0;

    // The peer's system learns now that its octets have come, instead of with our next ones: for
    // a peer that holds back its next octets until then, while we have nothing to send.
    virtual void acknowledge() noexcept {}

    // At once; a waiter resumes with Error::cancelled. Idempotent.
    virtual void close() noexcept = 0;

    [[nodiscard]] virtual const Endpoint& local() const noexcept = 0;
    [[nodiscard]] virtual const Endpoint& remote() const noexcept = 0;
};

}  // namespace mailflow
