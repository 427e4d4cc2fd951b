#include "server/receive/proxy_protocol.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace mailflow {

namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kLineStart = "PROXY ";
// Signature, version and command, family, length.
constexpr std::size_t kBinaryStart = 16;
// Commands and families.
constexpr std::uint8_t kLocal = 0x20;
constexpr std::uint8_t kProxy = 0x21;
constexpr std::uint8_t kUnspecified = 0x00;
constexpr std::uint8_t kTcp4 = 0x11;
constexpr std::uint8_t kTcp6 = 0x21;
constexpr std::uint8_t kUnixStream = 0x31;
constexpr std::size_t kInetAddresses = 12;   // 4 + 4 + 2 + 2
constexpr std::size_t kInet6Addresses = 36;  // 16 + 16 + 2 + 2

std::uint8_t octet(std::string_view octets, std::size_t at) noexcept {
    return static_cast<std::uint8_t>(octets[at]);
}

std::uint16_t number16(std::string_view octets, std::size_t at) noexcept {
    return static_cast<std::uint16_t>(octet(octets, at) << 8U | octet(octets, at + 1));
}

// One of the two is a beginning of the other.
bool agree(std::string_view a, std::string_view b) noexcept {
    const auto size = std::min(a.size(), b.size());
    return a.substr(0, size) == b.substr(0, size);
}

bool is_binary(std::string_view octets) noexcept {
    return octets.starts_with(kSignature);
}

// Decimal without leading zeros.
std::optional<std::uint16_t> read_port(std::string_view text) {
    if (text.size() > 1 && text.front() == '0') {
        return std::nullopt;
    }
    const auto number = ascii::parse_number(text);
    if (!number || *number > 65535) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(*number);
}

std::optional<Endpoint> read_endpoint(std::string_view address, std::string_view port, bool is_v6) {
    const bool looks_v6 = address.find(':') != std::string_view::npos;
    const auto ip = IpAddress::parse(address);
    const auto number = read_port(port);
    if (looks_v6 != is_v6 || !ip || !number) {
        return std::nullopt;
    }
    return Endpoint{*ip, *number};
}

IpAddress address_at(std::string_view octets, std::size_t at, bool is_v6) {
    if (!is_v6) {
        const auto high = static_cast<std::uint32_t>(number16(octets, at));
        return IpAddress::v4(high << 16U | number16(octets, at + 2));
    }
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = octet(octets, at + i);
    }
    return IpAddress::v6(bytes);
}

}  // namespace

std::size_t ProxyHeaderParser::wanted() const noexcept {
    if (state_ != State::incomplete) {
        return 0;
    }
    // No header of either version is shorter than the signature.
    if (octets_.size() < kSignature.size()) {
        return kSignature.size() - octets_.size();
    }
    if (!is_binary(octets_)) {
        // At least a CRLF is missing, or the LF of one.
        return octets_.ends_with('\r') ? 1 : 2;
    }
    if (octets_.size() < kBinaryStart) {
        return kBinaryStart - octets_.size();
    }
    return kBinaryStart + number16(octets_, 14) - octets_.size();
}

void ProxyHeaderParser::feed(std::string_view octets) {
    octets_ += octets;
    if (!agree(octets_, kSignature) && !agree(octets_, kLineStart)) {
        state_ = State::malformed;
        return;
    }
    if (octets_.size() < kSignature.size()) {
        return;
    }
    if (is_binary(octets_)) {
        read_binary();
    } else {
        read_line();
    }
}

void ProxyHeaderParser::read_line() {
    if (!octets_.ends_with("\r\n")) {
        const bool stray = octets_.find('\n') != std::string::npos;
        if (stray || octets_.size() >= kMaxProxyLine) {
            state_ = State::malformed;
        }
        return;
    }
    state_ = State::malformed;
    const auto line = std::string_view(octets_).substr(0, octets_.size() - 2);
    if (octets_.size() > kMaxProxyLine || line.find('\r') != std::string_view::npos) {
        return;
    }
    const auto words = ascii::split(line, ' ');
    if (words[1] == "UNKNOWN") {
        state_ = State::complete;
        return;
    }
    const bool is_v6 = words[1] == "TCP6";
    if ((!is_v6 && words[1] != "TCP4") || words.size() != 6) {
        return;
    }
    header_.source = read_endpoint(words[2], words[4], is_v6);
    header_.destination = read_endpoint(words[3], words[5], is_v6);
    if (header_.source && header_.destination) {
        state_ = State::complete;
    }
}

// Version 2 only, commands LOCAL and PROXY, a size we take.
void ProxyHeaderParser::check_binary_start() {
    const auto command = octet(octets_, 12);
    const bool known = command == kLocal || command == kProxy;
    if (!known || kBinaryStart + number16(octets_, 14) > kMaxProxyHeader) {
        state_ = State::malformed;
    }
}

void ProxyHeaderParser::read_binary() {
    if (octets_.size() < kBinaryStart) {
        return;
    }
    check_binary_start();
    const std::size_t length = number16(octets_, 14);
    if (state_ == State::malformed || octets_.size() < kBinaryStart + length) {
        return;
    }

    state_ = State::complete;
    const auto family = octet(octets_, 13);
    if (octet(octets_, 12) == kLocal || family == kUnspecified || family == kUnixStream) {
        return;
    }
    const bool is_v6 = family == kTcp6;
    if ((!is_v6 && family != kTcp4) || length < (is_v6 ? kInet6Addresses : kInetAddresses)) {
        state_ = State::malformed;  // datagrams bring no mail
        return;
    }
    const std::size_t size = is_v6 ? 16 : 4;
    const std::size_t ports = kBinaryStart + 2 * size;
    header_.source = Endpoint{address_at(octets_, kBinaryStart, is_v6), number16(octets_, ports)};
    header_.destination =
        Endpoint{address_at(octets_, kBinaryStart + size, is_v6), number16(octets_, ports + 2)};
}

}  // namespace mailflow
