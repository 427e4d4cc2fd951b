// The part of RFC 3986 that a URL of a policy or a token endpoint needs: `https://host[:port]/path
// ?query`. Used by the fetcher; pure.
#pragma once

#include "transport/base/ip_address.hpp"
#include "transport/mail/domain_name.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace mailflow {

constexpr std::size_t kMaxHttpsUrl = 2048;

struct HttpsUrl {
    std::variant<IpAddress, DomainName> host;
    std::uint16_t port = 443;
    std::string target;  // path and query; begins with `/`

    // As in the Host field: without the port when it is 443.
    [[nodiscard]] std::string authority() const;
    // Of SNI and for comparing with certificates; an address without brackets.
    [[nodiscard]] std::string host_text() const;
};

// Nothing for other schemes, users, fragments, and octets that do not belong into a URL.
[[nodiscard]] std::optional<HttpsUrl> parse_https_url(std::string_view text);

}  // namespace mailflow
