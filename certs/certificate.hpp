// A certificate as the server uses it: the parsed chain, its private key, and what selection and
// people need to know about it. Made from a CertificateRecord once, shared immutably by contexts.
#pragma once

#include "certs/openssl_handles.hpp"
#include "transport/base/result.hpp"
#include "transport/ports/records/certificate_record.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

enum class KeyKind : std::uint8_t { ecdsa, rsa, ed25519, other };

// What a leaf says about itself.
struct CertificateFacts {
    std::string thumbprint;          // as in the record
    std::string subject;             // RFC 2253 text
    std::string issuer;              // likewise
    std::vector<std::string> names;  // DNS names of SAN, else the CN; lower case, may begin `*.`
    KeyKind key = KeyKind::other;
    UtcTime not_before{};
    UtcTime not_after{};
    bool self_signed = false;

    [[nodiscard]] bool is_valid_at(UtcTime time) const noexcept {
        return not_before <= time && time <= not_after;
    }
};

// A chain of PEM certificates, the leaf first.
struct ParsedChain {
    X509Ptr leaf;
    std::vector<X509Ptr> others;
};

// Error::syntax when there is no certificate, Error::too_large beyond kMaxChain of them.
[[nodiscard]] Result<ParsedChain> parse_chain(std::string_view pem);
[[nodiscard]] CertificateFacts facts_of(x509_st& leaf);
[[nodiscard]] std::string to_pem(x509_st& certificate);

// PKCS #8, DER, not encrypted: what the secret box seals.
[[nodiscard]] std::string to_der(evp_pkey_st& key);
// Null when it is no private key.
[[nodiscard]] PrivateKeyPtr parse_private_key(std::string_view der);

constexpr std::size_t kMaxChain = 10;

// The roots the system trusts; looked up in its folder when they are needed.
[[nodiscard]] TrustStorePtr make_system_trust();
// Whether the chain leads to a trusted root, whatever its dates.
[[nodiscard]] bool leads_to_trusted_root(const ParsedChain& chain, x509_store_st& trust);

// One certificate of the store, ready for use.
struct StoredCertificate {
    std::string name;
    CertificateUses services = 0;
    CertificateFacts facts;
    // Leads to a trusted root; dates are judged apart, when they matter.
    bool is_trusted = false;
    std::shared_ptr<const ParsedChain> chain;
    PrivateKeyPtr key;  // null: the store holds none
};

}  // namespace mailflow
