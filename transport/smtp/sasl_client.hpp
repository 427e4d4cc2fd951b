// The client side of one SASL exchange (RFC 4422) without I/O: PLAIN (RFC 4616), LOGIN,
// SCRAM-SHA-256 and -PLUS (RFC 5802, 7677) over GNU SASL; OAUTHBEARER (RFC 7628) and XOAUTH2.
// Octets are decoded; base64 and the commands are the session's. Belongs to one session.
#pragma once

#include "transport/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::smtp {

// One challenge of a server, decoded: a salt and a nonce, or the JSON of a refused token.
constexpr std::size_t kMaxSaslChallenge = 4096;

enum class ClientMechanism : std::uint8_t {
    scram_sha_256_plus,
    scram_sha_256,
    plain,
    login,
    oauthbearer,
    xoauth2,
};

// As in EHLO's AUTH line.
[[nodiscard]] std::string_view name_of(ClientMechanism mechanism) noexcept;

struct SaslClientSecrets {
    std::string username;
    std::string password;         // of basic mechanisms
    std::string access_token;     // of OAuth; set: only OAuth mechanisms are chosen
    std::string channel_binding;  // octets of the TLS exporter (RFC 9266); empty: none
    std::string host;             // of OAUTHBEARER
    std::uint16_t port = 0;
};

// The strongest that is offered and can be used with these secrets; PLAIN and LOGIN only when
// `encrypted`, unless `allow_plain`. Nothing: none of `offered` will do.
[[nodiscard]] std::optional<ClientMechanism> choose_mechanism(
    std::span<const std::string> offered,
    const SaslClientSecrets& secrets,
    bool encrypted,
    bool allow_plain);

class SaslClient {
  public:
    SaslClient(ClientMechanism mechanism, SaslClientSecrets secrets);
    ~SaslClient();
    SaslClient(SaslClient&&) noexcept;
    SaslClient& operator=(SaslClient&&) noexcept;

    // Octets for AUTH's initial response; nothing: the mechanism waits for a challenge. Error::
    // syntax: a name, password or token that the mechanism cannot carry.
    [[nodiscard]] Result<std::optional<std::string>> begin();
    // The answer to a 334. Error::syntax, Error::conflict (a server that cannot prove itself in
    // SCRAM): cancel with `*`. SCRAM's first answer derives keys, 4,096 rounds of hashing and up
    // (bounded by kMaxScramIterations): not on a lane.
    [[nodiscard]] Result<std::string> answer(std::string_view challenge);
    // After 235: the server has proved what the mechanism lets it prove.
    [[nodiscard]] bool is_server_proved() const noexcept;

  private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace mailflow::smtp
