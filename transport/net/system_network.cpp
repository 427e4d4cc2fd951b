#include "transport/base/error.hpp"
#include "transport/net/network.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace mailflow {

namespace {

using Tcp = asio::ip::tcp;
using TcpSocket = asio::basic_stream_socket<Tcp, Executor>;
using TcpAcceptor = asio::basic_socket_acceptor<Tcp, Executor>;

// The kernel takes the smaller of this and net.core.somaxconn.
constexpr int kBacklog = 4096;

ErrorCode last_error() noexcept {
    return {errno, boost::system::system_category()};
}

// ---- addresses

struct SystemAddress {
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_storage);

    [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }

    [[nodiscard]] const sockaddr* get() const noexcept {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

SystemAddress to_system(const Endpoint& endpoint) noexcept {
    SystemAddress result;
    const auto& bytes = endpoint.address.bytes();
    if (endpoint.address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(endpoint.port);
        std::memcpy(&v4.sin_addr, bytes.data(), sizeof(v4.sin_addr));
        std::memcpy(&result.storage, &v4, sizeof(v4));
        result.size = sizeof(v4);
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(endpoint.port);
        std::memcpy(&v6.sin6_addr, bytes.data(), sizeof(v6.sin6_addr));
        std::memcpy(&result.storage, &v6, sizeof(v6));
        result.size = sizeof(v6);
    }
    return result;
}

Endpoint from_system(const SystemAddress& address) noexcept {
    if (address.storage.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address.storage, sizeof(v4));
        return {IpAddress::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
    }
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address.storage, sizeof(v6));
    IpAddress::Bytes bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, sizeof(v6.sin6_addr));
    return {IpAddress::v6(bytes), ntohs(v6.sin6_port)};
}

Endpoint local_of(int descriptor) noexcept {
    SystemAddress address;
    if (::getsockname(descriptor, address.get(), &address.size) != 0) {
        return {};
    }
    return from_system(address);
}

Tcp protocol_of(const IpAddress& address) noexcept {
    return address.is_v4() ? Tcp::v4() : Tcp::v6();
}

// ---- one connection

class SystemStream final : public Stream {
  public:
    SystemStream(TcpSocket socket, const Endpoint& local, const Endpoint& remote)
        : socket_(std::move(socket))
        , local_(local)
        , remote_(remote) {}

    Result<std::size_t> try_read(std::span<char> into) noexcept override {
        for (;;) {
            const auto count = ::recv(descriptor(), into.data(), into.size(), 0);
            if (count > 0) {
                return static_cast<std::size_t>(count);
            }
            if (count == 0) {
                return Error::end_of_stream;
            }
            if (errno != EINTR) {
                return failure();
            }
        }
    }

    Result<std::size_t> try_write(std::span<const char> from) noexcept override {
        for (;;) {
            const auto count = ::send(descriptor(), from.data(), from.size(), MSG_NOSIGNAL);
            if (count >= 0) {
                return static_cast<std::size_t>(count);
            }
            if (errno != EINTR) {
                return failure();
            }
        }
    }

    Task<ErrorCode> wait(Readiness readiness) override {
        if (!socket_.is_open()) {
            co_return Error::cancelled;
        }
        const auto kind =
            readiness == Readiness::readable ? TcpSocket::wait_read : TcpSocket::wait_write;
        auto operation = socket_.async_wait(kind, use_result);
        const auto [error] = co_await std::move(operation);
        if (!socket_.is_open() || error == asio::error::operation_aborted) {
            co_return Error::cancelled;
        }
        co_return error;
    }

    void shutdown_send() noexcept override {
        ErrorCode ignored;
        socket_.shutdown(TcpSocket::shutdown_send, ignored);
    }

    void acknowledge() noexcept override {
        const int on = 1;
        ::setsockopt(descriptor(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    }

    void close() noexcept override {
        ErrorCode ignored;
        socket_.close(ignored);
    }

    [[nodiscard]] const Endpoint& local() const noexcept override { return local_; }

    [[nodiscard]] const Endpoint& remote() const noexcept override { return remote_; }

  private:
    [[nodiscard]] int descriptor() noexcept { return socket_.native_handle(); }

    [[nodiscard]] ErrorCode failure() noexcept {
        if (!socket_.is_open()) {
            return Error::cancelled;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return Error::would_block;
        }
        return last_error();
    }

    TcpSocket socket_;
    Endpoint local_;
    Endpoint remote_;
};

// A connected descriptor becomes a stream of `lane`; on failure the descriptor is closed.
Result<std::unique_ptr<Stream>> adopt(Lane& lane, int descriptor, const Endpoint& remote) {
    const auto local = local_of(descriptor);
    TcpSocket socket(lane.executor());
    ErrorCode error;
    socket.assign(protocol_of(remote.address), descriptor, error);
    if (error) {
        ::close(descriptor);
        return error;
    }
    return std::unique_ptr<Stream>(
        std::make_unique<SystemStream>(std::move(socket), local, remote));
}

// ---- listening

// Errors of one connection that broke before it was accepted (accept(2)): the next one is taken
// instead.
bool concerns_one_connection(int error) noexcept {
    switch (error) {
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH: return true;
        default: return false;
    }
}

class SystemAcceptor final : public Acceptor {
  public:
    SystemAcceptor(TcpAcceptor acceptor, const Endpoint& local)
        : acceptor_(std::move(acceptor))
        , local_(local) {}

    Task<Result<std::unique_ptr<Stream>>> accept(Lane& lane) override {
        while (acceptor_.is_open()) {
            SystemAddress address;
            const auto descriptor = ::accept4(
                acceptor_.native_handle(),
                address.get(),
                &address.size,
                SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (descriptor >= 0) {
                co_return adopt(lane, descriptor, from_system(address));
            }
            if (concerns_one_connection(errno)) {
                continue;
            }
            if (errno != EAGAIN && errno != EWOULDBLOCK) {
                co_return last_error();
            }
            auto operation = acceptor_.async_wait(TcpAcceptor::wait_read, use_result);
            const auto [error] = co_await std::move(operation);
            if (error && error != asio::error::operation_aborted) {
                co_return error;
            }
        }
        co_return Error::cancelled;
    }

    void close() noexcept override {
        ErrorCode ignored;
        acceptor_.close(ignored);
    }

    [[nodiscard]] const Endpoint& local() const noexcept override { return local_; }

  private:
    TcpAcceptor acceptor_;
    Endpoint local_;
};

// ---- connecting

// Closes a socket that is still connecting when its time is over.
class ConnectDeadline final : public Deadline {
  public:
    explicit ConnectDeadline(TcpSocket& socket) noexcept
        : socket_(socket) {}

    [[nodiscard]] bool is_expired() const noexcept { return expired_; }

  private:
    void on_expired() override {
        expired_ = true;
        ErrorCode ignored;
        socket_.close(ignored);
    }

    TcpSocket& socket_;
    bool expired_ = false;
};

ErrorCode bind_to(int descriptor, const IpAddress& source) noexcept {
    // The port is chosen at connect, when the whole four-tuple is known: far more connections fit.
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    const auto address = to_system({source, 0});
    return ::bind(descriptor, address.get(), address.size) == 0 ? ErrorCode() : last_error();
}

// Starts connecting; would_block when the outcome is not known yet.
ErrorCode start_connecting(
    TcpSocket& socket, const Endpoint& remote, const std::optional<IpAddress>& source) {
    ErrorCode error;
    socket.open(protocol_of(remote.address), error);
    if (error) {
        return error;
    }
    socket.native_non_blocking(true, error);
    if (error) {
        return error;
    }
    socket.set_option(Tcp::no_delay(true), error);
    if (error) {
        return error;
    }
    if (source) {
        if (const auto unbound = bind_to(socket.native_handle(), *source)) {
            return unbound;
        }
    }
    const auto address = to_system(remote);
    if (::connect(socket.native_handle(), address.get(), address.size) == 0) {
        return {};
    }
    return errno == EINPROGRESS ? ErrorCode(Error::would_block) : last_error();
}

ErrorCode outcome_of(TcpSocket& socket) noexcept {
    int code = 0;
    socklen_t size = sizeof(code);
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
        return last_error();
    }
    return {code, boost::system::system_category()};
}

}  // namespace

Result<std::unique_ptr<Acceptor>> SystemNetwork::listen(Lane& lane, const Endpoint& endpoint) {
    TcpAcceptor acceptor(lane.executor());
    ErrorCode error;
    acceptor.open(protocol_of(endpoint.address), error);
    if (error) {
        return error;
    }
    acceptor.set_option(TcpAcceptor::reuse_address(true), error);
    if (!error && endpoint.address.is_v6()) {
        acceptor.set_option(asio::ip::v6_only(true), error);
    }
    if (!error) {
        // Accepted sockets inherit it: replies are whole when they are written.
        acceptor.set_option(Tcp::no_delay(true), error);
    }
    if (!error) {
        acceptor.native_non_blocking(true, error);
    }
    if (error) {
        return error;
    }
    const auto address = to_system(endpoint);
    if (::bind(acceptor.native_handle(), address.get(), address.size) != 0) {
        return last_error();
    }
    acceptor.listen(kBacklog, error);
    if (error) {
        return error;
    }
    const auto local = local_of(acceptor.native_handle());
    return std::unique_ptr<Acceptor>(std::make_unique<SystemAcceptor>(std::move(acceptor), local));
}

Task<Result<std::unique_ptr<Stream>>> SystemNetwork::connect(
    Lane& lane, Endpoint remote, std::optional<IpAddress> source, MonotonicTime deadline) {
    TcpSocket socket(lane.executor());
    auto error = start_connecting(socket, remote, source);
    if (error == Error::would_block) {
        ConnectDeadline limit(socket);
        lane.wheel().set(limit, deadline);
        auto operation = socket.async_wait(TcpSocket::wait_write, use_result);
        const auto [broken] = co_await std::move(operation);
        if (limit.is_expired()) {
            co_return Error::timed_out;
        }
        error = broken ? broken : outcome_of(socket);
    }
    if (error) {
        co_return error;
    }
    const auto local = local_of(socket.native_handle());
    co_return std::unique_ptr<Stream>(
        std::make_unique<SystemStream>(std::move(socket), local, remote));
}

Task<Result<std::unique_ptr<Stream>>> SystemNetwork::connect_local(Lane& lane, std::string path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
        co_return Error::too_large;
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        co_return last_error();
    }
    // Answered at once: connected, refused, or (EAGAIN) too many wait before us.
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        const auto error = last_error();
        ::close(descriptor);
        co_return error;
    }
    TcpSocket socket(lane.executor());
    ErrorCode error;
    // Only the descriptor matters for reading, writing and waiting.
    socket.assign(Tcp::v4(), descriptor, error);
    if (error) {
        ::close(descriptor);
        co_return error;
    }
    co_return std::unique_ptr<Stream>(
        std::make_unique<SystemStream>(std::move(socket), Endpoint{}, Endpoint{}));
}

}  // namespace mailflow
