#include "server/receive/password.hpp"

#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"
#include "transport/smtp/sasl.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <array>
#include <stdexcept>

namespace mailflow {

namespace {

using Digest = std::array<std::uint8_t, SHA256_DIGEST_LENGTH>;

const unsigned char* octets_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Digest hmac(const void* key, std::size_t key_size, std::string_view text) {
    Digest digest{};
    unsigned size = 0;
    if (HMAC(
            EVP_sha256(),
            key,
            static_cast<int>(key_size),
            octets_of(text),
            text.size(),
            digest.data(),
            &size) == nullptr) {
        throw std::runtime_error("HMAC-SHA-256 failed");
    }
    return digest;
}

// `purpose` keeps what is derived for one use from being of any other.
Digest derived(std::string_view secret, std::string_view purpose, std::string_view login) {
    return hmac(secret.data(), secret.size(), std::string(purpose).append(1, '\0').append(login));
}

std::string text_of(const Digest& digest, std::size_t size) {
    return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace

// RFC 5802 §3: SaltedPassword, ClientKey, StoredKey, ServerKey.
ScramVerifier make_verifier(std::string_view password, std::string salt, std::uint32_t iterations) {
    Digest salted{};
    if (PKCS5_PBKDF2_HMAC(
            password.data(),
            static_cast<int>(password.size()),
            octets_of(salt),
            static_cast<int>(salt.size()),
            static_cast<int>(iterations),
            EVP_sha256(),
            static_cast<int>(salted.size()),
            salted.data()) != 1) {
        throw std::runtime_error("PBKDF2 failed");
    }
    ScramVerifier verifier{iterations, std::move(salt), {}, {}};
    auto client_key = hmac(salted.data(), salted.size(), "Client Key");
    SHA256(client_key.data(), client_key.size(), verifier.stored_key.data());
    verifier.server_key = hmac(salted.data(), salted.size(), "Server Key");
    OPENSSL_cleanse(salted.data(), salted.size());
    OPENSSL_cleanse(client_key.data(), client_key.size());
    return verifier;
}

bool check_password(const ScramVerifier& verifier, std::string_view password) {
    const auto tried = make_verifier(password, verifier.salt, verifier.iterations);
    const auto& wanted = verifier.stored_key;
    return CRYPTO_memcmp(tried.stored_key.data(), wanted.data(), wanted.size()) == 0;
}

ScramVerifier decoy_verifier(std::string_view secret, std::string_view login) {
    return {
        kPasswordIterations,
        text_of(derived(secret, "salt", login), kSaltLength),
        derived(secret, "stored key", login),
        derived(secret, "server key", login)};
}

std::string srs_mac(std::string_view secret, std::string_view text) {
    const auto digest = derived(secret, "srs", text);
    return text_of(digest, digest.size());
}

std::string decoy_account(std::string_view secret, std::string_view login) {
    return "?" + hex_encode(text_of(derived(secret, "account", login), kSaltLength));
}

Task<Result<ScramVerifier>> hash_password(
    TaskRunner& worker, Random& random, std::string password) {
    if (password.size() > kMaxPasswordLength) {
        co_return Error::syntax;
    }
    auto prepared = smtp::prepare_password(password);
    OPENSSL_cleanse(password.data(), password.size());
    if (!prepared) {
        co_return prepared.error();
    }
    std::string salt(kSaltLength, '\0');
    random.fill(std::as_writable_bytes(std::span(salt)));
    const auto make = [&] {
        return make_verifier(*prepared, salt);
    };
    auto verifier = co_await offload(worker, make);
    OPENSSL_cleanse(prepared->data(), prepared->size());
    co_return verifier;
}

}  // namespace mailflow
