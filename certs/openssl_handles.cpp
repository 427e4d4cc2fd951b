#include "certs/openssl_handles.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <new>

namespace mailflow {

void detail::OpensslDeleter::operator()(bio_st* bio) const noexcept {
    BIO_free_all(bio);
}

void detail::OpensslDeleter::operator()(x509_st* certificate) const noexcept {
    X509_free(certificate);
}

void throw_unless_made(const void* object) {
    if (object == nullptr) {
        ERR_clear_error();
        throw std::bad_alloc();
    }
}

PrivateKeyPtr own_key(evp_pkey_st* key) {
    return {key, EVP_PKEY_free};
}

std::string text_of(bio_st& memory) {
    char* data = nullptr;
    const auto size = BIO_get_mem_data(&memory, &data);
    return size <= 0 ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

std::string take_openssl_error(const char* fallback) {
    const auto code = ERR_peek_error();
    const auto* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason == nullptr ? fallback : reason;
}

}  // namespace mailflow
