#include "tests/lab/socket.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace mailflow::lab {

namespace {

constexpr int kBacklog = 1024;
constexpr std::size_t kReadOctets = 16'384;

union Address {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

socklen_t to_address(const Endpoint& endpoint, Address& address) {
    std::memset(&address, 0, sizeof address);
    const auto& bytes = endpoint.address.bytes();
    if (endpoint.address.is_v4()) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(endpoint.port);
        std::memcpy(&address.v4.sin_addr, bytes.data(), 4);
        return sizeof address.v4;
    }
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(endpoint.port);
    std::memcpy(&address.v6.sin6_addr, bytes.data(), 16);
    return sizeof address.v6;
}

Endpoint to_endpoint(const Address& address) {
    if (address.any.sa_family == AF_INET) {
        return {IpAddress::v4(ntohl(address.v4.sin_addr.s_addr)), ntohs(address.v4.sin_port)};
    }
    IpAddress::Bytes bytes{};
    std::memcpy(bytes.data(), &address.v6.sin6_addr, bytes.size());
    return {IpAddress::v6(bytes), ntohs(address.v6.sin6_port)};
}

Bound bind_socket(const Endpoint& endpoint, int type) {
    Address address;
    const auto length = to_address(endpoint, address);
    Bound bound{
        Handle(::socket(address.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), endpoint};
    if (!bound.socket) fail("socket");
    const int on = 1;
    if (type == SOCK_STREAM)
        ::setsockopt(bound.socket.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(bound.socket.number(), &address.any, length) != 0) fail(endpoint.text().c_str());
    socklen_t got = sizeof address;
    if (::getsockname(bound.socket.number(), &address.any, &got) != 0) fail("getsockname");
    bound.endpoint = to_endpoint(address);
    return bound;
}

}  // namespace

void Handle::reset() noexcept {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
}

Interrupt::Interrupt()
    : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!event_) fail("eventfd");
}

void Interrupt::set() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_.number(), &one, sizeof one);
}

bool Interrupt::is_set() const noexcept {
    pollfd poll{event_.number(), POLLIN, 0};
    return ::poll(&poll, 1, 0) == 1;
}

Waited wait_for(
    int descriptor,
    Direction direction,
    std::chrono::milliseconds timeout,
    const Interrupt* interrupt) {
    std::array<pollfd, 2> polls{
        pollfd{descriptor, static_cast<short>(direction == Direction::read ? POLLIN : POLLOUT), 0},
        pollfd{interrupt == nullptr ? -1 : interrupt->number(), POLLIN, 0}};
    for (;;) {
        const int ready = ::poll(polls.data(), polls.size(), static_cast<int>(timeout.count()));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return Waited::timed_out;
        return polls[1].revents != 0 ? Waited::interrupted : Waited::ready;
    }
}

void pause_for(std::chrono::milliseconds time, const Interrupt& interrupt) {
    static_cast<void>(wait_for(-1, Direction::read, time, &interrupt));
}

Bound listen_tcp(const Endpoint& endpoint) {
    auto bound = bind_socket(endpoint, SOCK_STREAM);
    if (::listen(bound.socket.number(), kBacklog) != 0) fail("listen");
    return bound;
}

Bound bind_udp(const Endpoint& endpoint) {
    return bind_socket(endpoint, SOCK_DGRAM);
}

std::optional<std::pair<Handle, Endpoint>> accept_tcp(
    const Handle& listener, const Interrupt& interrupt) {
    for (;;) {
        const auto waited =
            wait_for(listener.number(), Direction::read, std::chrono::milliseconds(-1), &interrupt);
        if (waited != Waited::ready) return std::nullopt;
        Address address;
        socklen_t length = sizeof address;
        Handle socket(
            ::accept4(listener.number(), &address.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (socket) return std::pair(std::move(socket), to_endpoint(address));
        // Out of descriptors, or the peer was gone again: neither ends a server.
        if (errno == EMFILE || errno == ENFILE) pause_for(std::chrono::milliseconds(50), interrupt);
    }
}

std::optional<LineSocket> LineSocket::connect(
    const Endpoint& remote, std::chrono::milliseconds timeout, const Interrupt* interrupt) {
    Address address;
    const auto length = to_address(remote, address);
    Handle socket(::socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return std::nullopt;
    const int on = 1;
    ::setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket.number(), &address.any, length) != 0) {
        if (errno != EINPROGRESS) return std::nullopt;
        if (wait_for(socket.number(), Direction::write, timeout, interrupt) != Waited::ready)
            return std::nullopt;
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return std::nullopt;
    }
    return LineSocket(std::move(socket), timeout, interrupt);
}

bool LineSocket::fill() {
    if (start_ > 0) {
        input_.erase(0, start_);
        start_ = 0;
    }
    std::array<char, kReadOctets> octets;
    for (;;) {
        const auto count = ::recv(socket_.number(), octets.data(), octets.size(), 0);
        if (count > 0) {
            input_.append(octets.data(), static_cast<std::size_t>(count));
            return true;
        }
        if (count == 0) return false;
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return false;
        if (wait_for(socket_.number(), Direction::read, timeout_, interrupt_) != Waited::ready)
            return false;
    }
}

std::optional<std::string> LineSocket::read_line(std::size_t limit) {
    std::size_t searched = 0;
    for (;;) {
        const auto end = input_.find('\n', start_ + searched);
        if (end != std::string::npos) {
            auto line = input_.substr(start_, end - start_);
            start_ = end + 1;
            bare_ = !line.ends_with('\r');
            if (!bare_) line.pop_back();
            return line;
        }
        searched = input_.size() - start_;
        if (searched > limit || !fill()) return std::nullopt;
    }
}

bool LineSocket::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto count = ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(count));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return false;
        if (wait_for(socket_.number(), Direction::write, timeout_, interrupt_) != Waited::ready)
            return false;
    }
    return true;
}

bool LineSocket::has_input() {
    if (start_ < input_.size()) return true;
    pollfd poll{socket_.number(), POLLIN, 0};
    if (::poll(&poll, 1, 0) != 1) return false;
    char octet = 0;
    return ::recv(socket_.number(), &octet, 1, MSG_PEEK) == 1;
}

void LineSocket::abort() noexcept {
    const linger at_once{1, 0};
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.reset();
}

}  // namespace mailflow::lab
