#include "storage/body_checksum.hpp"

#include <algorithm>
#include <array>
#include <new>

namespace mailflow {

BodyChecksum::BodyChecksum()
    : context_(::EVP_MD_CTX_new()) {
    if (!context_ || ::EVP_DigestInit_ex(context_.get(), ::EVP_sha256(), nullptr) != 1) {
        throw std::bad_alloc();
    }
}

void BodyChecksum::update(std::string_view bytes) noexcept {
    ::EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

decltype(BodyRef::checksum) BodyChecksum::finish() noexcept {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    ::EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    decltype(BodyRef::checksum) checksum{};
    std::copy_n(digest.begin(), checksum.size(), checksum.begin());
    return checksum;
}

}  // namespace mailflow
