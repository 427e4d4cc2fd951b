// An IPv4 or IPv6 address and an address with a port. IPv4-mapped IPv6 addresses become IPv4 on the
// way in, so ranges, limits and logs see one form.
#pragma once

#include "transport/base/result.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mailflow {

class IpAddress {
  public:
    using Bytes = std::array<std::uint8_t, 16>;

    // 0.0.0.0
    constexpr IpAddress() noexcept = default;
    [[nodiscard]] static IpAddress v4(std::uint32_t host_order) noexcept;
    [[nodiscard]] static IpAddress v6(const Bytes& network_order) noexcept;
    // Dotted quad or RFC 4291 §2.2 text, without brackets; no zone.
    [[nodiscard]] static Result<IpAddress> parse(std::string_view text);

    [[nodiscard]] bool is_v4() const noexcept { return v4_; }

    [[nodiscard]] bool is_v6() const noexcept { return !v4_; }

    // Network order; an IPv4 address stands in the first four bytes, the rest is zero.
    [[nodiscard]] const Bytes& bytes() const noexcept { return bytes_; }

    [[nodiscard]] bool is_unspecified() const noexcept;
    [[nodiscard]] bool is_loopback() const noexcept;
    // RFC 1918, 3927, 6598, 4193 and fe80::/10: addresses no MX on the Internet has.
    [[nodiscard]] bool is_private() const noexcept;
    [[nodiscard]] bool is_multicast() const noexcept;

    [[nodiscard]] std::string text() const;
    // RFC 5321 §4.1.3: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
    [[nodiscard]] std::string literal() const;

    friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

  private:
    bool v4_ = true;
    Bytes bytes_{};
};

struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;

    // `192.0.2.1:25`, `[2001:db8::1]:25`.
    [[nodiscard]] std::string text() const;
    // The same forms; the port is required.
    [[nodiscard]] static Result<Endpoint> parse(std::string_view text);

    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

}  // namespace mailflow

template <>
struct std::hash<mailflow::IpAddress> {
    std::size_t operator()(const mailflow::IpAddress& address) const noexcept;
};
