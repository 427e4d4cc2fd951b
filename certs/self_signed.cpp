#include "certs/self_signed.hpp"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <stdexcept>

namespace mailflow {

namespace {

// RFC 5280 appendix A.1: ub-common-name.
constexpr std::size_t kMaxCommonName = 64;
constexpr long kVersion3 = 2;

void check(bool done) {
    if (!done) {
        throw std::runtime_error(
            "could not make a certificate: " + take_openssl_error("OpenSSL gives no reason"));
    }
}

// RFC 5280 §4.1.2.2: positive, unique, at most 20 octets.
void set_serial(X509& certificate, Random& random) {
    std::array<std::byte, 16> octets{};
    random.fill(octets);
    octets[0] = (octets[0] & std::byte{0x7f}) | std::byte{0x40};
    const std::unique_ptr<BIGNUM, void (*)(BIGNUM*)> number(
        made(BN_bin2bn(
            reinterpret_cast<const unsigned char*>(octets.data()),
            static_cast<int>(octets.size()),
            nullptr)),
        BN_free);
    check(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr);
}

void set_names(X509& certificate, const std::string& fqdn) {
    if (fqdn.size() <= kMaxCommonName) {
        check(
            X509_NAME_add_entry_by_txt(
                X509_get_subject_name(&certificate),
                "CN",
                MBSTRING_ASC,
                reinterpret_cast<const unsigned char*>(fqdn.c_str()),
                -1,
                -1,
                0) == 1);
    }
    check(X509_set_issuer_name(&certificate, X509_get_subject_name(&certificate)) == 1);
}

void set_validity(X509& certificate, UtcTime now) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch();
    const auto from = static_cast<std::time_t>((seconds - std::chrono::hours(1)).count());
    const auto until = static_cast<std::time_t>((seconds + kSelfSignedLife).count());
    check(ASN1_TIME_set(X509_getm_notBefore(&certificate), from) != nullptr);
    check(ASN1_TIME_set(X509_getm_notAfter(&certificate), until) != nullptr);
}

void add_extension(X509& certificate, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, &certificate, &certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, void (*)(X509_EXTENSION*)> extension(
        X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), X509_EXTENSION_free);
    check(extension != nullptr && X509_add_ext(&certificate, extension.get(), -1) == 1);
}

}  // namespace

NewCertificate make_self_signed(const std::string& fqdn, UtcTime now, Random& random) {
    NewCertificate result;
    auto* const key = EVP_EC_gen("P-256");
    check(key != nullptr);
    result.key = own_key(key);
    result.certificate.reset(made(X509_new()));
    auto& certificate = *result.certificate;
    check(X509_set_version(&certificate, kVersion3) == 1);
    set_serial(certificate, random);
    set_names(certificate, fqdn);
    set_validity(certificate, now);
    check(X509_set_pubkey(&certificate, key) == 1);
    add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate, NID_key_usage, "critical,digitalSignature");
    add_extension(certificate, NID_ext_key_usage, "serverAuth");
    add_extension(certificate, NID_subject_key_identifier, "hash");
    // RFC 5280 §4.2.1.6: critical when there is no subject.
    const std::string critical = fqdn.size() > kMaxCommonName ? "critical," : "";
    add_extension(certificate, NID_subject_alt_name, critical + "DNS:" + fqdn);
    check(X509_sign(&certificate, key, EVP_sha256()) > 0);
    return result;
}

}  // namespace mailflow
