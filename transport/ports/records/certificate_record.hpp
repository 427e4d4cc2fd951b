// One stored certificate with its key: a row of the certificate store. Plain data; what the
// certificate says about itself is read from the chain (certs/certificate.hpp).
#pragma once

#include "transport/base/clock.hpp"

#include <cstdint>
#include <string>

namespace mailflow {

// What a certificate is assigned to. One bit each.
enum class CertificateUse : std::uint8_t { smtp = 1, https = 2 };

using CertificateUses = std::uint8_t;

[[nodiscard]] constexpr bool has(CertificateUses uses, CertificateUse use) noexcept {
    return (uses & static_cast<std::uint8_t>(use)) != 0;
}

struct CertificateRecord {
    std::string thumbprint;   // SHA-256 of the leaf, 64 hex digits in lower case: its identity
    std::string name;         // what administrators call it; unique, compared without case
    std::string chain;        // PEM, the leaf first, then what leads towards its root
    std::string private_key;  // PKCS #8, sealed by the secret box for `thumbprint`; empty: none
    CertificateUses services = 0;
    UtcTime created{};

    friend bool operator==(const CertificateRecord&, const CertificateRecord&) = default;
};

}  // namespace mailflow
