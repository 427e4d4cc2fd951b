// What an administrator should know about certificates, for status, log and metrics. Pure.
#pragma once

#include "certs/certificate.hpp"
#include "transport/org/receive_connector.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

struct CertificateWarning {
    enum class Kind : std::uint8_t {
        none_usable,  // a connector that wants TLS has no certificate: STARTTLS is not offered
        self_signed,  // a connector shows a self-signed certificate: peers cannot verify it
        expired,      // a certificate in use is not valid now
        expiring,     // a certificate in use ends within 30, 14, 7 or 1 days
        unusable,     // a stored certificate or key cannot be read, or OpenSSL refuses it
    };

    Kind kind = Kind::none_usable;
    std::string subject;     // the connector's name, or the certificate's
    int days_threshold = 0;  // expiring: 30, 14, 7 or 1; changes when the matter gets worse
    std::string text;        // one sentence

    friend bool operator==(const CertificateWarning&, const CertificateWarning&) = default;
};

// About the certificates these connectors show, and all that are assigned to a service.
[[nodiscard]] std::vector<CertificateWarning> find_warnings(
    std::span<const StoredCertificate> certificates,
    std::span<const ReceiveConnector> connectors,
    std::string_view node_fqdn,
    UtcTime now);

}  // namespace mailflow
