#include "transport/base/ip_address.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <limits>

namespace mailflow {

namespace {

constexpr std::size_t kV4Size = 4;
constexpr std::size_t kMappedPrefixSize = 12;
// ::ffff:0:0/96 (RFC 4291 §2.5.5.2)
constexpr std::array<std::uint8_t, kMappedPrefixSize> kMappedPrefix{
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool in_v4_block(const IpAddress::Bytes& bytes, std::uint32_t network, unsigned prefix_length) {
    const std::uint32_t address = static_cast<std::uint32_t>(bytes[0]) << 24U |
                                  static_cast<std::uint32_t>(bytes[1]) << 16U |
                                  static_cast<std::uint32_t>(bytes[2]) << 8U | bytes[3];
    return (address ^ network) >> (32U - prefix_length) == 0;
}

}  // namespace

IpAddress IpAddress::v4(std::uint32_t host_order) noexcept {
    IpAddress address;
    for (std::size_t i = 0; i < kV4Size; ++i) {
        address.bytes_[i] = static_cast<std::uint8_t>(host_order >> (24U - 8U * i));
    }
    return address;
}

IpAddress IpAddress::v6(const Bytes& network_order) noexcept {
    IpAddress address;
    if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), network_order.begin())) {
        std::copy(
            network_order.begin() + kMappedPrefixSize, network_order.end(), address.bytes_.begin());
        return address;
    }
    address.v4_ = false;
    address.bytes_ = network_order;
    return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    if (text.empty() || text.size() >= terminated.size() ||
        text.find('\0') != std::string_view::npos) {
        return Error::syntax;
    }
    std::copy(text.begin(), text.end(), terminated.begin());
    Bytes bytes{};
    if (::inet_pton(AF_INET, terminated.data(), bytes.data()) == 1) {
        IpAddress address;
        address.bytes_ = bytes;
        return address;
    }
    if (::inet_pton(AF_INET6, terminated.data(), bytes.data()) == 1) {
        return v6(bytes);
    }
    return Error::syntax;
}

bool IpAddress::is_unspecified() const noexcept {
    return bytes_ == Bytes{};
}

bool IpAddress::is_loopback() const noexcept {
    if (v4_) {
        return bytes_[0] == 127;
    }
    constexpr Bytes kLoopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return bytes_ == kLoopback;
}

bool IpAddress::is_private() const noexcept {
    if (!v4_) {
        const bool unique_local = (bytes_[0] & 0xfeU) == 0xfc;
        const bool link_local = bytes_[0] == 0xfe && (bytes_[1] & 0xc0U) == 0x80;
        return unique_local || link_local;
    }
    return in_v4_block(bytes_, 0x0a000000, 8) ||   // 10.0.0.0/8
           in_v4_block(bytes_, 0xac100000, 12) ||  // 172.16.0.0/12
           in_v4_block(bytes_, 0xc0a80000, 16) ||  // 192.168.0.0/16
           in_v4_block(bytes_, 0xa9fe0000, 16) ||  // 169.254.0.0/16
           in_v4_block(bytes_, 0x64400000, 10) ||  // 100.64.0.0/10
           in_v4_block(bytes_, 0, 8);              // RFC 1122 §3.2.1.3: this network
}

bool IpAddress::is_multicast() const noexcept {
    return v4_ ? (bytes_[0] & 0xf0U) == 0xe0 : bytes_[0] == 0xff;
}

std::string IpAddress::text() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    // Cannot fail: the family is known and the buffer holds the longest text.
    ::inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
    return text.data();
}

std::string IpAddress::literal() const {
    return (v4_ ? "[" : "[IPv6:") + text() + ']';
}

std::string Endpoint::text() const {
    const auto host = address.is_v4() ? address.text() : '[' + address.text() + ']';
    return host + ':' + std::to_string(port);
}

Result<Endpoint> Endpoint::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return Error::syntax;
    }
    auto host = text.substr(0, colon);
    const bool bracketed = host.starts_with('[');
    if (bracketed) {
        if (!host.ends_with(']')) {
            return Error::syntax;
        }
        host = host.substr(1, host.size() - 2);
    }
    const bool has_colon = host.find(':') != std::string_view::npos;
    const auto address = IpAddress::parse(host);
    const auto port = ascii::parse_number(text.substr(colon + 1));
    if (!address || !port || *port > std::numeric_limits<std::uint16_t>::max() ||
        bracketed != has_colon) {
        return Error::syntax;
    }
    return Endpoint{*address, static_cast<std::uint16_t>(*port)};
}

}  // namespace mailflow

std::size_t std::hash<mailflow::IpAddress>::operator()(
    const mailflow::IpAddress& address) const noexcept {
    // FNV-1a; the family is part of it, as it is of equality.
    std::uint64_t state = 0xcbf29ce484222325U;
    const auto add = [&state](std::uint8_t byte) {
        state = (state ^ byte) * 0x100000001b3U;
    };
    add(address.is_v4() ? 4 : 6);
    for (const auto byte : address.bytes()) {
        add(byte);
    }
    return state;
}
