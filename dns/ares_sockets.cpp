#include "dns/ares_sockets.hpp"

#include <ares.h>

#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace mailflow::dns {

namespace {

Endpoint endpoint_of(const sockaddr* address) {
    if (address->sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, address, sizeof v4);
        return {IpAddress::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
    }
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof v6);
    IpAddress::Bytes bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return {IpAddress::v6(bytes), ntohs(v6.sin6_port)};
}

ares_socket_t open_socket(int family, int type, int protocol, void* /*listener*/) {
    const int socket = ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (socket >= 0 && type == SOCK_STREAM) {
        const int on = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return socket;
}

int close_socket(ares_socket_t socket, void* /*listener*/) {
    return ::close(socket);
}

int connect_socket(
    ares_socket_t socket, const sockaddr* address, ares_socklen_t length, void* /*listener*/) {
    return ::connect(socket, address, length);
}

// TCP is read without asking who sent it.
ares_ssize_t receive(
    ares_socket_t socket,
    void* into,
    size_t size,
    int flags,
    sockaddr* from,
    ares_socklen_t* length,
    void* listener) {
    const auto count = ::recvfrom(socket, into, size, flags, from, length);
    if (count > 0 && from != nullptr) {
        const std::string_view packet(
            static_cast<const char*>(into), static_cast<std::size_t>(count));
        static_cast<DatagramListener*>(listener)->on_datagram(packet, endpoint_of(from));
    }
    return count;
}

ares_ssize_t send_vector(ares_socket_t socket, const iovec* parts, int count, void* /*listener*/) {
    return ::writev(socket, parts, count);
}

}  // namespace

void use_own_sockets(ares_channeldata* channel, DatagramListener& listener) {
    static constexpr ares_socket_functions kFunctions{
        &open_socket, &close_socket, &connect_socket, &receive, &send_vector};
    ares_set_socket_functions(channel, &kFunctions, &listener);
}

}  // namespace mailflow::dns
