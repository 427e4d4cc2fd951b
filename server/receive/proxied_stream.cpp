#include "server/receive/proxied_stream.hpp"

#include "server/receive/proxy_protocol.hpp"
#include "transport/base/error.hpp"

#include <string>
#include <utility>

namespace mailflow {

namespace {

class ProxiedStream final : public Stream {
  public:
    ProxiedStream(std::unique_ptr<Stream> inner, const ProxyHeader& header)
        : inner_(std::move(inner))
        , local_(header.destination.value_or(inner_->local()))
        , remote_(header.source.value_or(inner_->remote())) {}

    Result<std::size_t> try_read(std::span<char> into) noexcept override {
        return inner_->try_read(into);
    }

    Result<std::size_t> try_write(std::span<const char> from) noexcept override {
        return inner_->try_write(from);
    }

    Task<ErrorCode> wait(Readiness readiness) override { return inner_->wait(readiness); }

    void shutdown_send() noexcept override { inner_->shutdown_send(); }

    void acknowledge() noexcept override { inner_->acknowledge(); }

    void close() noexcept override { inner_->close(); }

    [[nodiscard]] const Endpoint& local() const noexcept override { return local_; }

    [[nodiscard]] const Endpoint& remote() const noexcept override { return remote_; }

  private:
    std::unique_ptr<Stream> inner_;
    Endpoint local_;
    Endpoint remote_;
};

// Closes the stream when its time is over or the server stops.
class HeaderGuard final : private LiveSession, private Deadline {
  public:
    HeaderGuard(ReceiveLane& lane, Stream& stream)
        : stream_(stream) {
        lane.sessions.push_back(*this);
        auto& own = lane.services.lane;
        own.wheel().set(*this, own.clock().monotonic() + kProxyHeaderPatience);
    }

    [[nodiscard]] bool is_expired() const noexcept { return expired_; }

  private:
    void stop() override { stream_.close(); }

    void abort() override { stream_.close(); }

    void stress_changed() override {}

    void on_expired() override {
        expired_ = true;
        stream_.close();
    }

    Stream& stream_;
    bool expired_ = false;
};

}  // namespace

Task<Result<std::unique_ptr<Stream>>> read_proxy_header(
    ReceiveLane& lane, std::unique_ptr<Stream> stream) {
    HeaderGuard guard(lane, *stream);
    ProxyHeaderParser parser;
    while (parser.state() == ProxyHeaderParser::State::incomplete) {
        // Never more than the header: what follows may be the beginning of a TLS handshake.
        const auto into = lane.services.lane.scratch().first(parser.wanted());
        const auto count = stream->try_read(into);
        if (count) {
            parser.feed({into.data(), *count});
            continue;
        }
        auto error = count.error();
        if (error == Error::would_block) {
            error = co_await stream->wait(Readiness::readable);
        }
        if (guard.is_expired()) {
            error = Error::timed_out;
        }
        if (error) {
            stream->close();
            co_return error;
        }
    }
    if (parser.state() == ProxyHeaderParser::State::malformed) {
        stream->close();
        co_return Error::syntax;
    }
    co_return std::unique_ptr<Stream>(
        std::make_unique<ProxiedStream>(std::move(stream), parser.header()));
}

}  // namespace mailflow
