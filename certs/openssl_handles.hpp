// Owning handles of OpenSSL's objects, and its last error in words. Inside `certs` only.
#pragma once

#include <memory>
#include <string>

struct bio_st;
struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_st;
struct x509_store_st;

namespace mailflow {

namespace detail {

struct OpensslDeleter {
    void operator()(bio_st* bio) const noexcept;
    void operator()(x509_st* certificate) const noexcept;
};

}  // namespace detail

using BioPtr = std::unique_ptr<bio_st, detail::OpensslDeleter>;
using X509Ptr = std::unique_ptr<x509_st, detail::OpensslDeleter>;
using PrivateKeyPtr = std::shared_ptr<evp_pkey_st>;
using TrustStorePtr = std::shared_ptr<x509_store_st>;

// What OpenSSL has just made; throws std::bad_alloc when it made nothing, which only a want of
// memory does to calls without outside input.
template <class T>
[[nodiscard]] T* made(T* object);
void throw_unless_made(const void* object);

template <class T>
T* made(T* object) {
    throw_unless_made(object);
    return object;
}

// Takes the key over.
[[nodiscard]] PrivateKeyPtr own_key(evp_pkey_st* key);

// What the BIO in memory holds.
[[nodiscard]] std::string text_of(bio_st& memory);

// Empties the queue of OpenSSL's errors of this thread: the first one's reason, else `fallback`.
[[nodiscard]] std::string take_openssl_error(const char* fallback);

}  // namespace mailflow
