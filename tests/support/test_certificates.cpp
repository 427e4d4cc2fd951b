#include "tests/support/test_certificates.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace mailflow {

namespace {

void check(bool done) {
    if (!done) {
        throw std::runtime_error(take_openssl_error("no test certificate"));
    }
}

PrivateKeyPtr make_key(KeyKind kind) {
    constexpr std::size_t kRsaBits = 2048;
    auto* const key = kind == KeyKind::rsa       ? EVP_RSA_gen(kRsaBits)
                      : kind == KeyKind::ed25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                                 : EVP_EC_gen("P-256");
    check(key != nullptr);
    return own_key(key);
}

void add(X509& certificate, X509& issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
    auto* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    check(extension != nullptr);
    X509_add_ext(&certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

}  // namespace

std::string TestCertificate::pem() const {
    return to_pem(*certificate);
}

TestCertificate make_test_certificate(
    const TestCertificateWish& wish, const TestCertificate* issuer) {
    TestCertificate result;
    result.key = make_key(wish.key);
    result.certificate.reset(made(X509_new()));
    auto& certificate = *result.certificate;
    auto& signer = issuer == nullptr ? certificate : *issuer->certificate;
    X509_set_version(&certificate, 2);
    std::uint64_t serial = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial));
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(&certificate), serial >> 1U);
    constexpr long kDay = 24L * 60 * 60;
    X509_gmtime_adj(X509_getm_notBefore(&certificate), wish.days_from * kDay);
    X509_gmtime_adj(X509_getm_notAfter(&certificate), wish.days_until * kDay);
    X509_NAME_add_entry_by_txt(
        X509_get_subject_name(&certificate),
        "CN",
        MBSTRING_UTF8,
        reinterpret_cast<const unsigned char*>(wish.common_name.c_str()),
        -1,
        -1,
        0);
    X509_set_issuer_name(&certificate, X509_get_subject_name(&signer));
    X509_set_pubkey(&certificate, result.key.get());
    add(certificate, signer, NID_basic_constraints, wish.is_authority ? "CA:TRUE" : "CA:FALSE");
    if (!wish.alternative_names.empty()) {
        add(certificate, signer, NID_subject_alt_name, wish.alternative_names);
    }
    auto* const signing = issuer == nullptr ? result.key.get() : issuer->key.get();
    const auto* digest = EVP_PKEY_get_base_id(signing) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
    check(X509_sign(&certificate, signing, digest) > 0);
    return result;
}

std::shared_ptr<ssl_ctx_st> make_test_server_context() {
    return make_test_server_context(make_test_certificate({}));
}

std::shared_ptr<ssl_ctx_st> make_test_server_context(const TestCertificate& certificate) {
    std::shared_ptr<ssl_ctx_st> context(made(SSL_CTX_new(TLS_server_method())), SSL_CTX_free);
    check(
        SSL_CTX_use_cert_and_key(
            context.get(), certificate.certificate.get(), certificate.key.get(), nullptr, 1) == 1);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    return context;
}

std::shared_ptr<ssl_ctx_st> make_test_client_context() {
    return {made(SSL_CTX_new(TLS_client_method())), SSL_CTX_free};
}

}  // namespace mailflow
