#include "config/scram_text.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::string_view kScheme = "SCRAM-SHA-256";
// More would stall a login for seconds.
constexpr std::uint64_t kMaxIterations = 1'000'000;
constexpr std::size_t kMaxSalt = 256;

using Key = std::array<std::uint8_t, 32>;

std::string encoded(const Key& key) {
    return base64_encode({reinterpret_cast<const char*>(key.data()), key.size()});
}

bool decode(std::string_view text, Key& key) {
    const auto octets = base64_decode(text);
    if (!octets || octets->size() != key.size()) {
        return false;
    }
    std::transform(octets->begin(), octets->end(), key.begin(), [](char c) {
        return static_cast<std::uint8_t>(c);
    });
    return true;
}

}  // namespace

std::string scram_text(const ScramVerifier& verifier) {
    return std::string(kScheme) + "$" + std::to_string(verifier.iterations) + ":" +
           base64_encode(verifier.salt) + "$" + encoded(verifier.stored_key) + ":" +
           encoded(verifier.server_key);
}

Result<ScramVerifier> parse_scram(std::string_view text) {
    const auto parts = ascii::split(text, '$');
    if (parts.size() != 3 || parts[0] != kScheme) {
        return Error::syntax;
    }
    const auto salted = ascii::split(parts[1], ':');
    const auto keys = ascii::split(parts[2], ':');
    if (salted.size() != 2 || keys.size() != 2) {
        return Error::syntax;
    }
    const auto iterations = ascii::parse_number(salted[0]);
    auto salt = base64_decode(salted[1]);
    ScramVerifier verifier;
    if (!iterations || *iterations == 0 || *iterations > kMaxIterations || !salt || salt->empty() ||
        salt->size() > kMaxSalt || !decode(keys[0], verifier.stored_key) ||
        !decode(keys[1], verifier.server_key)) {
        return Error::syntax;
    }
    verifier.iterations = static_cast<std::uint32_t>(*iterations);
    verifier.salt = std::move(*salt);
    return verifier;
}

}  // namespace mailflow
