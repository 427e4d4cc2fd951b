// The header a balancer puts in front of a connection (HAProxy's PROXY protocol, versions 1 and 2):
// on whose behalf it connects. Pure, fed exactly what `wanted` asks for, so that not one octet
// behind the header is taken. Used by the listener for connections from proxy_protocol_from.
//
// Version 1:  "PROXY" SP ("TCP4" | "TCP6") SP source SP destination SP port SP port CRLF
//             "PROXY" SP "UNKNOWN" [anything] CRLF, at most 107 octets in all
// Version 2:  12 octets of signature, version and command, family, length (2), addresses, TLVs
#pragma once

#include "transport/base/ip_address.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

// Version 1's own limit, and ours for version 2: addresses and a few TLVs.
inline constexpr std::size_t kMaxProxyLine = 107;
inline constexpr std::size_t kMaxProxyHeader = 2048;

struct ProxyHeader {
    // None: the balancer speaks for itself (LOCAL, UNKNOWN, or an address that is none of IP).
    std::optional<Endpoint> source;
    std::optional<Endpoint> destination;
};

class ProxyHeaderParser {
  public:
    enum class State : std::uint8_t { incomplete, complete, malformed };

    // How many octets may be read now without passing the header's end; 0 when it is over.
    [[nodiscard]] std::size_t wanted() const noexcept;
    // At most `wanted` octets.
    void feed(std::string_view octets);

    [[nodiscard]] State state() const noexcept { return state_; }

    // When complete.
    [[nodiscard]] const ProxyHeader& header() const noexcept { return header_; }

  private:
    void read_line();
    void read_binary();
    void check_binary_start();

    std::string octets_;
    State state_ = State::incomplete;
    ProxyHeader header_;
};

}  // namespace mailflow
