// Secrets that the organization keeps sealed: passwords and tokens for smart hosts. Sealed text is
// what documents, the Organization and exports hold; only who logs in opens it, and keeps it no
// longer than that. Any thread.
#pragma once

#include "transport/base/result.hpp"

#include <string>
#include <string_view>

namespace mailflow {

// Begins every sealed text, and no secret in clear.
inline constexpr std::string_view kSealedMark = "sealed:";

[[nodiscard]] inline bool is_sealed(std::string_view text) noexcept {
    return text.starts_with(kSealedMark);
}

class Secrets {
  public:
    virtual ~Secrets() = default;
    // `sealed:` and base64. `context` names what the secret belongs to
    // (`send-connector/Internet/password`): it opens under the same context only.
    [[nodiscard]] virtual std::string seal(std::string_view secret, std::string_view context) = 0;
    // Error::corrupt when key, context or text are not those of `seal`.
    [[nodiscard]] virtual Result<std::string> open(
        std::string_view sealed, std::string_view context) const = 0;
};

// What the secret fields of a send connector are sealed under.
[[nodiscard]] inline std::string secret_context(
    std::string_view connector, std::string_view field) {
    return "send-connector/" + std::string(connector) + "/" + std::string(field);
}

}  // namespace mailflow
