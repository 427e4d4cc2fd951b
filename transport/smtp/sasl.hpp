// The server side of one SASL exchange (RFC 4422) without I/O: PLAIN (RFC 4616), LOGIN,
// SCRAM-SHA-256 and -PLUS (RFC 5802, 7677), EXTERNAL. GNU SASL speaks the mechanisms; who may log
// in is the driver's: the exchange stops where it needs to know something, says what, and goes on
// when it is told. Octets here are decoded; base64 and the replies are the SMTP protocol's. Belongs
// to one session; used by the Authenticator.
#pragma once

#include "transport/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow::smtp {

// One response of a client, decoded. SCRAM's messages with the longest names need some 1,100.
constexpr std::size_t kMaxSaslResponse = 4096;
// A login name or an authorization identity, after preparation.
constexpr std::size_t kMaxSaslName = 320;
// RFC 7677 §4: at least 4096; more than this keeps a client busy for seconds.
constexpr std::uint32_t kMinScramIterations = 4096;
constexpr std::uint32_t kMaxScramIterations = 1'000'000;

enum class SaslMechanism : std::uint8_t {
    plain,
    login,
    scram_sha_256,
    scram_sha_256_plus,
    external
};

// Without case; nothing for any other.
[[nodiscard]] std::optional<SaslMechanism> parse_sasl_mechanism(std::string_view name) noexcept;

// RFC 4013, for a password that is to be kept: Error::syntax when it holds characters that are
// prohibited, unassigned in Unicode 3.2, or not UTF-8, or when nothing of it remains.
[[nodiscard]] Result<std::string> prepare_password(std::string_view password);

// What is kept of a password for SCRAM (RFC 5802 §3), as octets.
struct ScramSecrets {
    std::uint32_t iterations = 0;
    std::string_view salt;
    std::string_view stored_key;
    std::string_view server_key;
};

struct SaslStep {
    enum class Kind : std::uint8_t {
        challenge,       // send `octets`, step with the answer
        needs_secrets,   // SCRAM: whose they are is login(); go on with provide()
        check_password,  // PLAIN, LOGIN: over; log in if password() is login()'s
        check_identity,  // EXTERNAL: over; log in as authorization(), if the certificate allows
        finished,        // SCRAM: over; login() has proved itself. `octets` tell the client that we
                         // know the secrets too
        failed,          // over
    };

    Kind kind = Kind::failed;
    std::string octets;
    std::string_view reason;  // of a failure, for the log; a literal
};

class SaslExchange {
  public:
    // `channel_binding`: octets of the TLS exporter (RFC 9266) when SCRAM-SHA-256-PLUS was offered
    // to this client, else empty. A client that says it would have bound the channel, had it been
    // offered (RFC 5802 §6, `y`), then fails: somebody took the offer out of our reply.
    SaslExchange(SaslMechanism mechanism, std::string channel_binding);
    ~SaslExchange();
    SaslExchange(SaslExchange&&) noexcept;
    SaslExchange& operator=(SaslExchange&&) noexcept;

    // First with the initial response (nothing when there was none), then with each answer to a
    // challenge.
    [[nodiscard]] SaslStep step(std::optional<std::string_view> response);
    // After needs_secrets, once. For a login nobody has: secrets nobody can prove.
    [[nodiscard]] SaslStep provide(const ScramSecrets& secrets);

    // Prepared by RFC 4013, not empty; valid from needs_secrets or check_password on.
    [[nodiscard]] const std::string& login() const noexcept;
    // Whom the client wants to act as; empty: as whoever logs in. Valid as login(), and after
    // check_identity.
    [[nodiscard]] const std::string& authorization() const noexcept;
    // Prepared by RFC 4013; valid after check_password.
    [[nodiscard]] const std::string& password() const noexcept;

  private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace mailflow::smtp
