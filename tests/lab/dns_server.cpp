#include "tests/lab/dns_server.hpp"

#include "tests/lab/dns_answer.hpp"

#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <system_error>

namespace mailflow::lab {

namespace {

constexpr std::size_t kMaxQueriesKept = 10'000;
constexpr std::size_t kMaxQueryOctets = 4096;
constexpr std::chrono::milliseconds kTcpIdle{5000};
constexpr int kPortTries = 20;

// The two sockets share a port: a free one for UDP may be taken for TCP, then another is tried.
std::pair<Bound, Bound> bind_both(const Endpoint& endpoint) {
    for (int tries = 1;; ++tries) {
        auto udp = bind_udp(endpoint);
        try {
            auto tcp = listen_tcp(udp.endpoint);
            return {std::move(udp), std::move(tcp)};
        } catch (const std::system_error&) {
            if (endpoint.port != 0 || tries == kPortTries) throw;
        }
    }
}

// Exactly `count` octets, or nothing.
std::string receive(int socket, std::size_t count, const Interrupt& stop) {
    std::string octets(count, '\0');
    for (std::size_t have = 0; have < count;) {
        if (wait_for(socket, Direction::read, kTcpIdle, &stop) != Waited::ready) return {};
        const auto got = ::recv(socket, octets.data() + have, count - have, 0);
        if (got <= 0) return {};
        have += static_cast<std::size_t>(got);
    }
    return octets;
}

std::string describe(std::string_view packet) {
    constexpr std::size_t kHeaderOctets = 12;
    std::string name;
    std::size_t at = kHeaderOctets;
    while (at < packet.size() && packet[at] != '\0') {
        const auto length = static_cast<unsigned char>(packet[at]);
        if (!name.empty()) name.push_back('.');
        name.append(packet.substr(at + 1, length));
        at += length + 1U;
    }
    if (at + 2 >= packet.size()) return "?";
    const unsigned type = static_cast<unsigned>(static_cast<unsigned char>(packet[at + 1]) << 8) |
                          static_cast<unsigned char>(packet[at + 2]);
    for (const auto* const known : {"A", "AAAA", "MX", "TXT", "CNAME", "NS", "SOA"}) {
        if (static_cast<unsigned>(*parse_type(known)) == type)
            return std::string(known) + " " + name;
    }
    return "TYPE" + std::to_string(type) + " " + name;
}

}  // namespace

DnsServer::DnsServer(Zone zone, const Endpoint& endpoint)
    : zone_(std::move(zone)) {
    auto sockets = bind_both(endpoint);
    udp_ = std::move(sockets.first);
    tcp_ = std::move(sockets.second);
    udp_thread_ = std::thread([this] { serve_udp(); });
    tcp_thread_ = std::thread([this] { serve_tcp(); });
}

DnsServer::~DnsServer() {
    stop_.set();
    udp_thread_.join();
    tcp_thread_.join();
}

std::vector<std::string> DnsServer::queries() const {
    const std::lock_guard lock(mutex_);
    return queries_;
}

std::uint64_t DnsServer::query_count() const {
    const std::lock_guard lock(mutex_);
    return query_count_;
}

void DnsServer::note(std::string_view transport, std::string_view packet) {
    auto text = std::string(transport) + " " + describe(packet);
    const std::lock_guard lock(mutex_);
    ++query_count_;
    if (queries_.size() >= kMaxQueriesKept) queries_.erase(queries_.begin());
    queries_.push_back(std::move(text));
}

void DnsServer::serve_udp() {
    const int socket = udp_.socket.number();
    std::array<char, kMaxQueryOctets> octets;
    while (wait_for(socket, Direction::read, std::chrono::milliseconds(-1), &stop_) ==
           Waited::ready) {
        sockaddr_storage peer{};
        socklen_t length = sizeof peer;
        auto* const address = reinterpret_cast<sockaddr*>(&peer);
        const auto count = ::recvfrom(socket, octets.data(), octets.size(), 0, address, &length);
        if (count <= 0) continue;
        const std::string_view query(octets.data(), static_cast<std::size_t>(count));
        note("udp", query);
        const auto answer = answer_query(zone_, query, Transport::udp);
        if (answer) ::sendto(socket, answer->data(), answer->size(), MSG_NOSIGNAL, address, length);
    }
}

void DnsServer::serve_tcp() {
    while (auto connection = accept_tcp(tcp_.socket, stop_)) {
        serve_tcp_connection(std::move(connection->first));
    }
}

// RFC 1035 §4.2.2: two octets of length before each message. One connection at a time is enough for
// a lab.
void DnsServer::serve_tcp_connection(Handle socket) {
    for (;;) {
        const auto prefix = receive(socket.number(), 2, stop_);
        if (prefix.empty()) return;
        const auto length = static_cast<std::size_t>(static_cast<unsigned char>(prefix[0]) << 8) |
                            static_cast<unsigned char>(prefix[1]);
        const auto query = receive(socket.number(), length, stop_);
        if (query.empty()) return;
        note("tcp", query);
        const auto answer = answer_query(zone_, query, Transport::tcp);
        if (!answer) continue;
        std::string framed;
        framed.push_back(static_cast<char>(answer->size() >> 8 & 0xff));
        framed.push_back(static_cast<char>(answer->size() & 0xff));
        framed += *answer;
        for (std::string_view rest = framed; !rest.empty();) {
            if (wait_for(socket.number(), Direction::write, kTcpIdle, &stop_) != Waited::ready)
                return;
            const auto sent = ::send(socket.number(), rest.data(), rest.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            rest.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
}

}  // namespace mailflow::lab
