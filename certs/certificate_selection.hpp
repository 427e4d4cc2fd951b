// Which certificate a connection is shown (reference 6.6). Pure: rules over what certificates say,
// no OpenSSL. Used when contexts are built, for each name a client may ask for.
#pragma once

#include "certs/certificate.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

struct CertificateWish {
    std::string_view pinned;          // connector field `certificate`: name or thumbprint
    std::string_view server_name;     // SNI; empty: none given
    std::string_view connector_fqdn;  // empty: the node's
    std::string_view node_fqdn;
};

// How a name fits a certificate's names (RFC 6125 §6.4: a wildcard stands for one whole label).
enum class NameMatch : std::uint8_t { none, wildcard, exact };
[[nodiscard]] NameMatch match_name(const CertificateFacts& facts, std::string_view name) noexcept;

// Positions in `all`, the best first: at most one of each kind of key, of which OpenSSL takes what
// the client can verify. Empty: STARTTLS is not offered.
[[nodiscard]] std::vector<std::size_t> select_certificates(
    std::span<const StoredCertificate> all, const CertificateWish& wish, UtcTime now);

}  // namespace mailflow
