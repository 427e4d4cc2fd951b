// Owning handles of OpenSSL's objects, and its last error in words. Inside `certs` only.
#pragma once

#include <memory>
#include <string>

struct ssl_ctx_st;
struct x509_st;
struct x509_store_st;
struct evp_pkey_st;

namespace mailflow {

namespace detail {

struct X509Deleter {
    void operator()(x509_st* certificate) const noexcept;
};

}  // namespace detail

using X509Ptr = std::unique_ptr<x509_st, detail::X509Deleter>;
using PrivateKeyPtr = std::shared_ptr<evp_pkey_st>;

// Takes the key over.
[[nodiscard]] PrivateKeyPtr own_key(evp_pkey_st* key);

// Takes the queue of OpenSSL's errors of this thread: the first one's reason, else `fallback`.
[[nodiscard]] std::string take_openssl_error(const char* fallback);

}  // namespace mailflow
