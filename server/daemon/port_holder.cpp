#include "server/daemon/port_holder.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <unistd.h>
#include <vector>

namespace mailflow {

namespace fs = std::filesystem;

namespace {

// A socket that listens, from a line of /proc/net/tcp or tcp6 (proc(5)).
struct ListeningSocket {
    Endpoint local;
    std::string uid;
    std::string inode;
};

std::optional<std::uint32_t> hex(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

// Words of four octets in the host's order, each written as a number: `0100007F` is 127.0.0.1.
std::optional<IpAddress> parse_address(std::string_view text) {
    constexpr std::size_t kWord = 8;
    IpAddress::Bytes bytes{};
    for (std::size_t i = 0; i + kWord <= text.size() && i < 2 * bytes.size(); i += kWord) {
        const auto word = hex(text.substr(i, kWord));
        if (!word) {
            return std::nullopt;
        }
        const auto* octets = reinterpret_cast<const std::uint8_t*>(&*word);
        std::copy_n(octets, 4, bytes.begin() + static_cast<std::ptrdiff_t>(i / 2));
    }
    if (text.size() == kWord) {
        const auto number = (std::uint32_t{bytes[0]} << 24U) | (std::uint32_t{bytes[1]} << 16U) |
                            (std::uint32_t{bytes[2]} << 8U) | bytes[3];
        return IpAddress::v4(number);
    }
    return IpAddress::v6(bytes);
}

std::optional<ListeningSocket> parse_line(const std::string& line) {
    constexpr std::string_view kListen = "0A";
    std::istringstream fields(line);
    std::string number;
    std::string local;
    std::string remote;
    std::string state;
    std::string queues;
    std::string timer;
    std::string retransmits;
    std::string timeout;
    ListeningSocket socket;
    fields >> number >> local >> remote >> state >> queues >> timer >> retransmits >> socket.uid >>
        timeout >> socket.inode;
    const auto colon = local.find(':');
    if (!fields || state != kListen || colon == std::string::npos) {
        return std::nullopt;
    }
    const auto address = parse_address(std::string_view(local).substr(0, colon));
    const auto port = hex(std::string_view(local).substr(colon + 1));
    if (!address || !port) {
        return std::nullopt;
    }
    socket.local = {*address, static_cast<std::uint16_t>(*port)};
    return socket;
}

// An IPv6 socket on all addresses takes the IPv4 ones too, unless it was told not to.
bool is_in_the_way(const Endpoint& held, const Endpoint& wanted) {
    if (held.port != wanted.port) {
        return false;
    }
    const bool same_family = held.address.is_v4() == wanted.address.is_v4();
    if (same_family) {
        return held.address == wanted.address || held.address.is_unspecified() ||
               wanted.address.is_unspecified();
    }
    return held.address.is_v6() && held.address.is_unspecified();
}

std::vector<ListeningSocket> sockets_in_the_way(const Endpoint& wanted) {
    std::vector<ListeningSocket> found;
    for (const auto* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::ifstream file(table);
        for (std::string line; std::getline(file, line);) {
            auto socket = parse_line(line);
            if (socket && is_in_the_way(socket->local, wanted)) {
                found.push_back(std::move(*socket));
            }
        }
    }
    return found;
}

bool has_descriptor(const fs::path& process, const std::string& target) {
    std::error_code error;
    for (fs::directory_iterator entry(process / "fd", error), end; !error && entry != end;
         entry.increment(error)) {
        std::error_code unreadable;
        if (fs::read_symlink(entry->path(), unreadable) == target) {
            return true;
        }
    }
    return false;
}

std::string first_line(const fs::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return ascii::escaped(line);
}

// Process id of a process that has the socket; empty when none may be looked into.
std::string process_with(const std::string& inode) {
    const auto target = "socket:[" + inode + "]";
    std::error_code error;
    for (fs::directory_iterator entry("/proc", error), end; !error && entry != end;
         entry.increment(error)) {
        const auto name = entry->path().filename().string();
        const bool is_process = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
            return ascii::is_digit(c);
        });
        if (is_process && has_descriptor(entry->path(), target)) {
            return name;
        }
    }
    return {};
}

}  // namespace

std::string find_port_holder(const Endpoint& endpoint, HolderSearch search) {
    const auto own = std::to_string(::getpid());
    for (const auto& socket : sockets_in_the_way(endpoint)) {
        const bool ours = has_descriptor(fs::path("/proc/self"), "socket:[" + socket.inode + "]");
        if (ours && search == HolderSearch::other_processes) {
            continue;
        }
        const auto process = ours ? own : process_with(socket.inode);
        if (process.empty()) {
            return "a process of uid " + socket.uid;
        }
        return first_line(fs::path("/proc") / process / "comm") + " (pid " + process + ")";
    }
    return {};
}

std::string binding_failure_words(const ErrorCode& error, const std::string& holder) {
    namespace errc = boost::system::errc;
    auto words = error.message();
    if (!holder.empty()) {
        words += "; " + holder + " holds it";
    } else if (error == errc::address_not_available) {
        words += "; no interface of this host has the address";
    } else if (error == errc::permission_denied) {
        words += "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
    }
    return words;
}

}  // namespace mailflow
