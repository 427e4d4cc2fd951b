// Seals what the store must not show: private keys and stored passwords. AES-256-GCM under the key
// of the key file; each sealed blob is bound to a context (which row it belongs to), so that rows
// cannot be swapped. Immutable; any thread.
#pragma once

#include "transport/base/random.hpp"
#include "transport/base/result.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace mailflow {

class SecretBox {
  public:
    static constexpr std::size_t kKeySize = 32;
    using Key = std::array<std::byte, kKeySize>;

    explicit SecretBox(const Key& key) noexcept
        : key_(key) {}

    SecretBox(const SecretBox&) = default;
    SecretBox& operator=(const SecretBox&) = default;
    // Leaves no key behind in memory.
    ~SecretBox();

    // Version, nonce, ciphertext, tag. The nonce is random: 2^32 blobs under one key are safe.
    [[nodiscard]] std::string seal(
        std::string_view secret, std::string_view context, Random& random) const;
    // Error::corrupt when key, context or blob are not those of `seal`.
    [[nodiscard]] Result<std::string> open(std::string_view sealed, std::string_view context) const;

  private:
    Key key_;
};

}  // namespace mailflow
