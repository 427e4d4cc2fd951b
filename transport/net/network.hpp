// Listening and connecting as a seam: system sockets, or the simulated network of tests.
#pragma once

#include "transport/net/lane.hpp"
#include "transport/net/stream.hpp"

#include <memory>
#include <optional>
#include <string>

namespace mailflow {

class Acceptor {
  public:
    virtual ~Acceptor() = default;
    // The next connection, made to live on `lane` (which may differ from the acceptor's). EMFILE
    // and its kin come back as errors and are for the caller to wait out; Error::cancelled after
    // close.
    virtual Task<Result<std::unique_ptr<Stream>>> accept(Lane& lane) = 0;
    virtual void close() noexcept = 0;
    // With the port the system chose when 0 was asked for.
    [[nodiscard]] virtual const Endpoint& local() const noexcept = 0;
};

class Network {
  public:
    virtual ~Network() = default;
    // Bound and listening when it returns; accepts on `lane`. IPv6 listeners take no IPv4.
    virtual Result<std::unique_ptr<Acceptor>> listen(Lane& lane, const Endpoint& endpoint) = 0;
    // Error::timed_out when `deadline` passes first. `source`: bind to it before connecting.
    virtual Task<Result<std::unique_ptr<Stream>>> connect(
        Lane& lane, Endpoint remote, std::optional<IpAddress> source, MonotonicTime deadline) = 0;

    // A Unix socket. Its endpoints say nothing. Networks without them refuse.
    virtual Task<Result<std::unique_ptr<Stream>>> connect_local(
        Lane& /*lane*/, std::string /*path*/) {
        co_return make_error_code(boost::system::errc::connection_refused);
    }
};

// Sockets of the system. Stateless; any lane.
class SystemNetwork final : public Network {
  public:
    Result<std::unique_ptr<Acceptor>> listen(Lane& lane, const Endpoint& endpoint) override;
    Task<Result<std::unique_ptr<Stream>>> connect(
        Lane& lane,
        Endpoint remote,
        std::optional<IpAddress> source,
        MonotonicTime deadline) override;
    Task<Result<std::unique_ptr<Stream>>> connect_local(Lane& lane, std::string path) override;
};

}  // namespace mailflow
