// Logging in over AUTH (RFC 4954): runs the SASL exchange of one session, asks the directory whose
// login it is, lets a worker do the password work and asks the guard whether the source and the
// account may try at all. One Authenticator per lane, used on it; its exchanges belong to the
// sessions and do not outlive it.
//
// Nobody learns from an answer whether a login exists: an unknown one, one without a password, and
// one that is refused for too many failures go through the same steps (a salt made from the login,
// the same iterations, the same password work where there is a password to judge) and end in the
// same failure. For the time to be the same too, the session answers a failure at
// auth_tarpit_interval after the client's last octets came, not that long after the failure.
#pragma once

#include "server/receive/auth_guard.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/ports/directory.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// What is known of the client when it says AUTH.
struct AuthPeer {
    IpAddress client;
    OrganizationPtr organization;  // whose limits rule
    // RFC 9266: octets of the TLS exporter (label EXPORTER-Channel-Binding, no context, 32 octets)
    // when SCRAM-SHA-256-PLUS was offered in this session; else empty.
    std::string channel_binding;
    // E-mail addresses and user principal names of the client certificate, when it was verified.
    std::vector<std::string> certificate_names;
};

struct AuthStep {
    enum class Kind : std::uint8_t {
        challenge,    // send `octets` (may be empty) in a 334 and step with the answer
        success,      // 235: logged in as `account`
        failure,      // 535, late
        unavailable,  // 454 4.7.0: the directory or the guard could not be asked
    };

    Kind kind = Kind::failure;
    std::string octets;
    MailRecipientPtr account;
    std::string login;        // as the client gave it; empty when it did not come so far
    std::string_view reason;  // of a failure, for the log; a literal
};

class AuthExchange {
  public:
    virtual ~AuthExchange() = default;
    // First with the initial response of AUTH (none: there was none; empty: `=`), then with each
    // answer to a challenge, decoded. Not again after anything but a challenge. What a mechanism
    // has to say at its success (RFC 5802 §7, server-final-message) is a challenge too, whose
    // answer must be empty (RFC 4954 §4): the step after it is the success. A client that cancels
    // (`*`) or goes: destroy the exchange.
    virtual Task<AuthStep> step(std::optional<std::string> client_octets) = 0;
};

// Password checks of one lane that are away at one time; more are answered with `unavailable`.
constexpr std::size_t kMaxPasswordChecks = 128;

class Authenticator {
  public:
    // All outlive this.
    struct Parts {
        Directory& directory;  // of the lane
        TaskRunner& worker;    // does the password work
        AuthGate& gate;        // of the lane
        // Salts of logins nobody has are made from it: the same on every lane, and best after a
        // restart too (OrganizationDatabase::login_secret).
        std::string secret;
    };

    explicit Authenticator(Parts parts);

    // Null: there is no such mechanism here (504 5.5.4). Whether the connector offers it is the
    // caller's to know. `mechanism` without case.
    [[nodiscard]] std::unique_ptr<AuthExchange> begin(std::string_view mechanism, AuthPeer peer);

    [[nodiscard]] std::size_t checks_away() const noexcept { return checks_away_; }

  private:
    class Exchange;

    Parts parts_;
    std::size_t checks_away_ = 0;
};

}  // namespace mailflow
