#include "certs/secret_box.hpp"

#include "transport/base/error.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>
#include <stdexcept>

namespace mailflow {

namespace {

constexpr char kVersion = 1;
constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kHeadSize = 1 + kNonceSize;
// What may be sealed; far below the limits of int and of GCM.
constexpr std::size_t kMaxSecret = 1024 * std::size_t{1024};

struct FreeCipher {
    void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

const unsigned char* octets(std::string_view text) noexcept {
    return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* octets(std::string& text, std::size_t at) noexcept {
    return reinterpret_cast<unsigned char*>(text.data() + at);
}

// A cipher that has taken in key, nonce and context.
Cipher begin(
    const SecretBox::Key& key, std::string_view nonce, std::string_view context, bool sealing) {
    Cipher cipher(EVP_CIPHER_CTX_new());
    int ignored = 0;
    if (!cipher ||
        EVP_CipherInit_ex(
            cipher.get(),
            EVP_aes_256_gcm(),
            nullptr,
            reinterpret_cast<const unsigned char*>(key.data()),
            octets(nonce),
            sealing ? 1 : 0) != 1 ||
        EVP_CipherUpdate(
            cipher.get(), nullptr, &ignored, octets(context), static_cast<int>(context.size())) !=
            1) {
        throw std::runtime_error("AES-256-GCM is not available");
    }
    return cipher;
}

}  // namespace

SecretBox::~SecretBox() {
    OPENSSL_cleanse(key_.data(), key_.size());
}

std::string SecretBox::seal(
    std::string_view secret, std::string_view context, Random& random) const {
    if (secret.size() > kMaxSecret || context.size() > kMaxSecret) {
        throw std::length_error("too much for the secret box");
    }
    std::array<std::byte, kNonceSize> nonce{};
    random.fill(nonce);
    std::string sealed(1, kVersion);
    sealed.append(reinterpret_cast<const char*>(nonce.data()), nonce.size());
    sealed.resize(kHeadSize + secret.size() + kTagSize);

    const auto cipher = begin(key_, std::string_view(sealed).substr(1, kNonceSize), context, true);
    int size = 0;
    if (EVP_CipherUpdate(
            cipher.get(),
            octets(sealed, kHeadSize),
            &size,
            octets(secret),
            static_cast<int>(secret.size())) != 1 ||
        EVP_CipherFinal_ex(cipher.get(), octets(sealed, kHeadSize + secret.size()), &size) != 1 ||
        EVP_CIPHER_CTX_ctrl(
            cipher.get(),
            EVP_CTRL_AEAD_GET_TAG,
            kTagSize,
            octets(sealed, kHeadSize + secret.size())) != 1) {
        throw std::runtime_error("AES-256-GCM failed");
    }
    return sealed;
}

Result<std::string> SecretBox::open(std::string_view sealed, std::string_view context) const {
    if (sealed.size() < kHeadSize + kTagSize || sealed.size() > 2 * kMaxSecret ||
        sealed.front() != kVersion) {
        return Error::corrupt;
    }
    const auto nonce = sealed.substr(1, kNonceSize);
    const auto text = sealed.substr(kHeadSize, sealed.size() - kHeadSize - kTagSize);
    std::string tag(sealed.substr(sealed.size() - kTagSize));

    const auto cipher = begin(key_, nonce, context, false);
    std::string secret(text.size() + 1, '\0');  // never empty, for the pointer into it
    int size = 0;
    const bool is_whole =
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1 &&
        EVP_CipherUpdate(
            cipher.get(), octets(secret, 0), &size, octets(text), static_cast<int>(text.size())) ==
            1 &&
        EVP_CipherFinal_ex(cipher.get(), octets(secret, text.size()), &size) == 1;
    if (!is_whole) {
        OPENSSL_cleanse(secret.data(), secret.size());
        ERR_clear_error();
        return Error::corrupt;
    }
    secret.resize(text.size());
    return secret;
}

}  // namespace mailflow
