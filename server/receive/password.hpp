// What is made of a password and how one is checked (RFC 5802 §3, RFC 7677). Pure functions that
// take milliseconds: on a worker, never on a lane. Used by the Authenticator, and by whoever sets a
// password.
#pragma once

#include "transport/base/random.hpp"
#include "transport/base/result.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/org/scram_verifier.hpp"

#include <string>
#include <string_view>

namespace mailflow {

// PBKDF2 rounds of a new verifier: four times what RFC 7677 §4 asks for. More would slow down a
// thief of the database more, but every client that logs in by SCRAM does the same rounds on its
// own processor, a telephone's too, and by PLAIN we do them for each login: at 16,384 one core
// judges some 200 logins a second. What keeps guesses from outside slow is the AuthGuard.
constexpr std::uint32_t kPasswordIterations = 16'384;
constexpr std::size_t kSaltLength = 16;

// Of a prepared password (smtp::prepare_password).
[[nodiscard]] ScramVerifier make_verifier(
    std::string_view password, std::string salt, std::uint32_t iterations = kPasswordIterations);
// The time it takes does not depend on how wrong the password is.
[[nodiscard]] bool check_password(const ScramVerifier& verifier, std::string_view password);

// A verifier for a login nobody has: the same at every try, as a real one is, and no password fits.
[[nodiscard]] ScramVerifier decoy_verifier(std::string_view secret, std::string_view login);
// An account's name in the guard's tables when nobody has the login: as long for every login.
[[nodiscard]] std::string decoy_account(std::string_view secret, std::string_view login);

// What keeps others from making SRS addresses of ours: HMAC-SHA-256, 32 octets.
[[nodiscard]] std::string srs_mac(std::string_view secret, std::string_view text);

// Prepares the password and makes its verifier on `worker`. Error::syntax: RFC 4013 prohibits it,
// or it is longer than kMaxPasswordLength.
Task<Result<ScramVerifier>> hash_password(TaskRunner& worker, Random& random, std::string password);

}  // namespace mailflow
