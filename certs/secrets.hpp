// Secrets of send connectors under the key of the key file (ports/secrets.hpp). The daemon owns one
// and unlocks it when the key has been read, before anybody asks; from then on immutable, any
// thread.
#pragma once

#include "certs/secret_box.hpp"
#include "transport/ports/secrets.hpp"

#include <optional>

namespace mailflow {

class BoxSecrets final : public Secrets {
  public:
    // `random` outlives this and is used by who seals alone: the console lane.
    explicit BoxSecrets(Random& random) noexcept
        : random_(random) {}

    // Once, before the lanes run.
    void unlock(const SecretBox& box) { box_.emplace(box); }

    // Throws std::logic_error before `unlock`.
    [[nodiscard]] std::string seal(std::string_view secret, std::string_view context) override;
    [[nodiscard]] Result<std::string> open(
        std::string_view sealed, std::string_view context) const override;

  private:
    Random& random_;
    std::optional<SecretBox> box_;
};

}  // namespace mailflow
