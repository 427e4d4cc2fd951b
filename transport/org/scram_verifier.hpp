// What is kept of a password (RFC 5802 §3): enough to check one, never enough to say it. SCRAM,
// PLAIN and LOGIN are all served from it. Plain data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace mailflow {

// Octets of a password; a longer one is refused, set or tried.
constexpr std::size_t kMaxPasswordLength = 256;

struct ScramVerifier {
    std::uint32_t iterations = 0;               // of PBKDF2-HMAC-SHA-256
    std::string salt;                           // octets
    std::array<std::uint8_t, 32> stored_key{};  // H(ClientKey)
    std::array<std::uint8_t, 32> server_key{};

    friend bool operator==(const ScramVerifier&, const ScramVerifier&) = default;
};

}  // namespace mailflow
