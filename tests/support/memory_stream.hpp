// A Stream whose other end is held by the test: octets are fed, cut and looked at without any
// socket. Both ends on one lane; the peer object and the stream share the pipe, either may go
// first.
#pragma once

#include "transport/base/error.hpp"
#include "transport/base/one_shot.hpp"
#include "transport/net/stream.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace mailflow {

namespace detail {

struct MemoryPipe {
    std::string input;                                                 // what the stream will read
    std::string output;                                                // what the stream wrote
    std::size_t read_limit = std::numeric_limits<std::size_t>::max();  // octets a single read gives
    std::size_t room =
        std::numeric_limits<std::size_t>::max();  // octets the stream may still write
    bool input_ended = false;
    bool send_ended = false;
    bool closed = false;
    unsigned acknowledged = 0;  // times the stream asked for it
    ErrorCode broken;
    OneShot<ErrorCode>* reader = nullptr;
    OneShot<ErrorCode>* writer = nullptr;

    static void wake(OneShot<ErrorCode>*& waiter, ErrorCode with = {}) {
        if (auto* const one = std::exchange(waiter, nullptr)) {
            one->complete(with);
        }
    }
};

class MemoryStream final : public Stream {
  public:
    MemoryStream(std::shared_ptr<MemoryPipe> pipe, const Endpoint& local, const Endpoint& remote)
        : pipe_(std::move(pipe))
        , local_(local)
        , remote_(remote) {}

    Result<std::size_t> try_read(std::span<char> into) noexcept override {
        if (pipe_->closed) {
            return Error::cancelled;
        }
        if (pipe_->broken) {
            return pipe_->broken;
        }
        if (pipe_->input.empty()) {
            return pipe_->input_ended ? Error::end_of_stream : Error::would_block;
        }
        const auto count = std::min({into.size(), pipe_->input.size(), pipe_->read_limit});
        std::copy_n(pipe_->input.begin(), count, into.begin());
        pipe_->input.erase(0, count);
        return count;
    }

    Result<std::size_t> try_write(std::span<const char> from) noexcept override {
        if (pipe_->closed) {
            return Error::cancelled;
        }
        if (pipe_->broken) {
            return pipe_->broken;
        }
        if (pipe_->room == 0) {
            return Error::would_block;
        }
        const auto count = std::min(from.size(), pipe_->room);
        pipe_->output.append(from.data(), count);
        pipe_->room -= count;
        return count;
    }

    Task<ErrorCode> wait(Readiness readiness) override {
        if (pipe_->closed) {
            co_return Error::cancelled;
        }
        const bool ready = readiness == Readiness::readable
                               ? !pipe_->input.empty() || pipe_->input_ended
                               : pipe_->room > 0;
        if (ready || pipe_->broken) {
            co_return pipe_->broken;
        }
        OneShot<ErrorCode> awake;
        (readiness == Readiness::readable ? pipe_->reader : pipe_->writer) = &awake;
        const auto error = co_await awake.wait();
        co_return error;
    }

    void shutdown_send() noexcept override { pipe_->send_ended = true; }

    void acknowledge() noexcept override { ++pipe_->acknowledged; }

    void close() noexcept override {
        pipe_->closed = true;
        MemoryPipe::wake(pipe_->reader, Error::cancelled);
        MemoryPipe::wake(pipe_->writer, Error::cancelled);
    }

    [[nodiscard]] const Endpoint& local() const noexcept override { return local_; }

    [[nodiscard]] const Endpoint& remote() const noexcept override { return remote_; }

  private:
    std::shared_ptr<MemoryPipe> pipe_;
    Endpoint local_;
    Endpoint remote_;
};

}  // namespace detail

class MemoryPeer {
  public:
    explicit MemoryPeer(
        const Endpoint& server = {IpAddress::v4(0x7f000001), 25},
        const Endpoint& client = {IpAddress::v4(0xc0000205), 40000})
        : server_(server)
        , client_(client) {}

    // The server's end. Once.
    [[nodiscard]] std::unique_ptr<Stream> stream() {
        return std::make_unique<detail::MemoryStream>(pipe_, server_, client_);
    }

    void send(std::string_view bytes) {
        pipe_->input.append(bytes);
        detail::MemoryPipe::wake(pipe_->reader);
    }

    // We send no more; we still listen.
    void end() {
        pipe_->input_ended = true;
        detail::MemoryPipe::wake(pipe_->reader);
    }

    // RST: both directions are over.
    void break_off(
        ErrorCode error =
            boost::system::errc::make_error_code(boost::system::errc::connection_reset)) {
        pipe_->broken = error;
        detail::MemoryPipe::wake(pipe_->reader, error);
        detail::MemoryPipe::wake(pipe_->writer, error);
    }

    // A single read gives at most so many octets.
    void limit_reads(std::size_t octets) noexcept { pipe_->read_limit = octets; }

    // The window: how many more octets the server may write.
    void set_room(std::size_t octets) {
        pipe_->room = octets;
        if (octets > 0) {
            detail::MemoryPipe::wake(pipe_->writer);
        }
    }

    // What the server wrote since the last call.
    [[nodiscard]] std::string received() { return std::exchange(pipe_->output, {}); }

    [[nodiscard]] std::string_view output() const noexcept { return pipe_->output; }

    [[nodiscard]] bool is_closed() const noexcept { return pipe_->closed; }

    [[nodiscard]] unsigned acknowledgements() const noexcept { return pipe_->acknowledged; }

    [[nodiscard]] bool is_send_ended() const noexcept { return pipe_->send_ended; }

    // Octets sent and not read by the server.
    [[nodiscard]] std::size_t unread() const noexcept { return pipe_->input.size(); }

  private:
    std::shared_ptr<detail::MemoryPipe> pipe_ = std::make_shared<detail::MemoryPipe>();
    Endpoint server_;
    Endpoint client_;
};

}  // namespace mailflow
