// Certificates and OpenSSL contexts for tests: a server's with a certificate of its own, a client's
// that verifies nobody, and certificates with whatever a test wants in them.
#pragma once

#include "certs/certificate.hpp"
#include "certs/openssl_handles.hpp"

#include <memory>
#include <string>
#include <vector>

namespace mailflow {

struct TestCertificateWish {
    std::string common_name = "mail.contoso.com";
    // As OpenSSL writes them: `DNS:mail.contoso.com`, `email:alice@contoso.com`,
    // `otherName:msUPN;UTF8:alice@contoso.com`. Empty: none.
    std::string alternative_names = "DNS:mail.contoso.com";
    KeyKind key = KeyKind::ecdsa;
    int days_from = -1;  // from now on the system's clock
    int days_until = 365;
    bool is_authority = false;
};

struct TestCertificate {
    X509Ptr certificate;
    PrivateKeyPtr key;

    [[nodiscard]] std::string pem() const;
};

// Signed by `issuer`; null: by itself.
[[nodiscard]] TestCertificate make_test_certificate(
    const TestCertificateWish& wish, const TestCertificate* issuer = nullptr);

[[nodiscard]] std::shared_ptr<ssl_ctx_st> make_test_server_context();
[[nodiscard]] std::shared_ptr<ssl_ctx_st> make_test_server_context(
    const TestCertificate& certificate);
[[nodiscard]] std::shared_ptr<ssl_ctx_st> make_test_client_context();

}  // namespace mailflow
