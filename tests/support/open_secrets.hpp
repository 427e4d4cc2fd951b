// Secrets that anybody can read: `sealed:` and context and secret in clear.
#pragma once

#include "transport/base/error.hpp"
#include "transport/ports/secrets.hpp"

#include <string>
#include <string_view>

namespace mailflow {

class OpenSecrets final : public Secrets {
  public:
    std::string seal(std::string_view secret, std::string_view context) override {
        return "sealed:" + std::string(context) + "=" + std::string(secret);
    }

    Result<std::string> open(std::string_view sealed, std::string_view context) const override {
        const auto start = "sealed:" + std::string(context) + "=";
        if (!sealed.starts_with(start)) return Error::corrupt;
        return std::string(sealed.substr(start.size()));
    }
};

}  // namespace mailflow
