#include "certs/client_context.hpp"

#include "certs/openssl_handles.hpp"
#include "transport/base/error.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <stdexcept>

namespace mailflow {

namespace {

// Wider than what we offer as a server: where TLS is optional, what is left out here is spoken in
// clear (RFC 7435 §1.2). No NULL, no anonymous suite, nothing known broken.
constexpr const char* kCiphers12 =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:AESGCM:AES:!aNULL:!"
    "eNULL:!PSK:!SRP";
// 80 bits: RSA of 1,024 bits is met in the world, and better than clear text.
constexpr int kSecurityLevel = 1;
constexpr long kMaxServerChain = 64L * 1024;

void check(bool done) {
    if (!done) {
        throw std::runtime_error(
            "could not set TLS up: " + take_openssl_error("OpenSSL gives no reason"));
    }
}

bool use(SSL_CTX* context, const StoredCertificate& certificate) {
    const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> others(
        made(sk_X509_new_null()), [](STACK_OF(X509) * stack) { sk_X509_free(stack); });
    for (const auto& other : certificate.chain->others) {
        sk_X509_push(others.get(), other.get());
    }
    return SSL_CTX_use_cert_and_key(
               context, certificate.chain->leaf.get(), certificate.key.get(), others.get(), 1) == 1;
}

}  // namespace

Result<TlsContextPtr> make_client_context(
    const TrustStorePtr& trust, const StoredCertificate* certificate, std::string* problem) {
    TlsContextPtr context(made(SSL_CTX_new(TLS_client_method())), SSL_CTX_free);
    auto* const raw = context.get();
    // RFC 8996: nothing below TLS 1.2.
    check(SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1);
    SSL_CTX_set_security_level(raw, kSecurityLevel);
    SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(raw, SSL_MODE_NO_AUTO_CHAIN);
    check(SSL_CTX_set_cipher_list(raw, kCiphers12) == 1);
    // Each session shows its certificate anew: what one demand found good enough is no word for
    // another (decisions §2.6).
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(raw, SSL_OP_NO_TICKET);
    SSL_CTX_set_max_cert_list(raw, kMaxServerChain);
    SSL_CTX_set_verify_depth(raw, static_cast<int>(kMaxChain));
    SSL_CTX_set1_cert_store(raw, trust.get());
    // The handshake goes on whatever the chain is worth: tls_policy judges it.
    SSL_CTX_set_verify(raw, SSL_VERIFY_NONE, nullptr);
    check(SSL_CTX_set_purpose(raw, X509_PURPOSE_SSL_SERVER) == 1);
    // For the sessions that bring TLSA records; the others are verified as ever.
    check(SSL_CTX_dane_enable(raw) == 1);
    if (certificate != nullptr && !use(raw, *certificate)) {
        *problem = take_openssl_error("OpenSSL does not take it");
        return make_error_code(Error::tls_failed);
    }
    return context;
}

}  // namespace mailflow
