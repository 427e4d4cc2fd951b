// Secrets whose seal everybody can read: what is in which place shows in the text.
#pragma once

#include "transport/base/error.hpp"
#include "transport/ports/secrets.hpp"

#include <string>

namespace mailflow {

class MarkedSecrets final : public Secrets {
  public:
    std::string seal(std::string_view secret, std::string_view context) override {
        return std::string(kSealedMark) + std::string(context) + "=" + std::string(secret);
    }

    Result<std::string> open(std::string_view sealed, std::string_view context) const override {
        const auto head = std::string(kSealedMark) + std::string(context) + "=";
        if (!sealed.starts_with(head)) return make_error_code(Error::corrupt);
        return std::string(sealed.substr(head.size()));
    }
};

}  // namespace mailflow
