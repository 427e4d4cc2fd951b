// The checksum of stored octets: the first 16 octets of SHA-256, computed while they stream by.
// Used by body writers and readers.
#pragma once

#include "transport/mail/content.hpp"

#include <openssl/evp.h>

#include <memory>
#include <string_view>

namespace mailflow {

class BodyChecksum {
  public:
    BodyChecksum();
    void update(std::string_view bytes) noexcept;
    // Once, at the end.
    [[nodiscard]] decltype(BodyRef::checksum) finish() noexcept;

  private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const noexcept { ::EVP_MD_CTX_free(context); }
    };

    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace mailflow
