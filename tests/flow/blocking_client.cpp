#include "tests/flow/blocking_client.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace mailflow {

namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

void write_all(int socket, const std::string& bytes) {
    if (::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size())) {
        throw std::runtime_error("send failed");
    }
}

// One line without its end; empty text at the end of the stream.
bool read_line(int socket, std::string& input, std::string& line) {
    for (;;) {
        const auto end = input.find("\r\n");
        if (end != std::string::npos) {
            line = input.substr(0, end);
            input.erase(0, end + 2);
            return true;
        }
        std::string piece(4096, '\0');
        const auto got = ::recv(socket, piece.data(), piece.size(), 0);
        if (got <= 0) {
            return false;
        }
        input.append(piece, 0, static_cast<std::size_t>(got));
    }
}

}  // namespace

BlockingClient::BlockingClient(std::uint16_t port)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = loopback(port);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ::close(socket_);
        throw std::runtime_error("connect failed");
    }
    read_reply();
}

BlockingClient::~BlockingClient() {
    ::close(socket_);
}

std::string BlockingClient::read_reply() {
    std::string reply;
    std::string line;
    while (read_line(socket_, input_, line)) {
        reply += line;
        if (line.size() < 4 || line[3] != '-') {
            return reply;
        }
    }
    throw std::runtime_error("the server closed the connection");
}

std::string BlockingClient::say(const std::string& command) {
    write_all(socket_, command + "\r\n");
    return read_reply();
}

std::string BlockingClient::send(
    const std::string& from, const std::string& to, const std::string& text) {
    for (const auto& command :
         {"MAIL FROM:<" + from + ">", "RCPT TO:<" + to + ">", std::string("DATA")}) {
        auto reply = say(command);
        if (reply[0] != '2' && reply[0] != '3') {
            return reply;
        }
    }
    return say(text + "\r\n.");
}

BlockingSink::BlockingSink(Script script)
    : script_(std::move(script))
    , listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("the sink cannot listen");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] {
        std::vector<std::thread> sessions;
        for (int socket = ::accept(listener_, nullptr, nullptr); socket >= 0;
             socket = ::accept(listener_, nullptr, nullptr)) {
            sessions.emplace_back([this, socket] { serve(socket); });
        }
        for (auto& session : sessions) {
            session.join();
        }
    });
}

BlockingSink::~BlockingSink() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
}

void BlockingSink::keep(const std::string& line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
}

std::vector<std::string> BlockingSink::lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
}

bool BlockingSink::has_heard(const std::string& line) const {
    const auto all = lines();
    return std::find(all.begin(), all.end(), line) != all.end();
}

std::size_t BlockingSink::times_heard(const std::string& beginning) const {
    const auto all = lines();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&beginning](const auto& line) {
            return line.starts_with(beginning);
        }));
}

std::string BlockingSink::reply_to(const std::string& line, const char* usual) const {
    auto reply = script_ ? script_(line) : std::string();
    return (reply.empty() ? usual : reply) + "\r\n";
}

std::string BlockingSink::answer(
    const std::string& line, std::vector<std::string>& recipients, bool& lmtp) {
    const bool greets = line.starts_with("EHLO") || line.starts_with("LHLO");
    lmtp = greets ? line.starts_with("LHLO") : lmtp;
    const auto* usual = greets ? "250-sink\r\n250-8BITMIME\r\n250-DSN\r\n250 PIPELINING" : "250 ok";
    if (line == "DATA") {
        usual = recipients.empty() ? "554 nobody takes it" : "354 go";
    }
    auto reply = reply_to(line, usual);
    if (line.starts_with("MAIL")) recipients.clear();
    if (line.starts_with("RCPT") && reply[0] == '2') recipients.push_back(line);
    return reply;
}

std::string BlockingSink::answer_text(const std::vector<std::string>& recipients, bool lmtp) {
    ++messages_;
    std::string replies;
    for (const auto& recipient : recipients)
        replies += lmtp ? reply_to(". " + recipient, "250 ok") : "";
    return lmtp ? replies : reply_to(".", "250 ok");
}

void BlockingSink::serve(int socket) {
    std::string input;
    std::string line;
    std::vector<std::string> recipients;
    bool in_data = false;
    bool lmtp = false;
    ::send(socket, "220 sink\r\n", 10, MSG_NOSIGNAL);
    while (read_line(socket, input, line)) {
        keep(line);
        if (in_data && line != ".") {
            continue;
        }
        const auto reply = in_data ? answer_text(recipients, lmtp) : answer(line, recipients, lmtp);
        in_data = !in_data && line == "DATA" && reply.starts_with("354");
        ::send(socket, reply.data(), reply.size(), MSG_NOSIGNAL);
        if (line == "QUIT") {
            break;
        }
    }
    ::close(socket);
}

}  // namespace mailflow
