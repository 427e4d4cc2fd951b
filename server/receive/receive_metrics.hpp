// What the receive side of one lane counts. Handles are looked up when the lane is built, those of
// reasons and ciphers when the first of a kind comes; after that counting is an atomic addition.
// Owned by the daemon's composition, one per lane, used on that lane only.
#pragma once

#include "transport/base/metrics.hpp"
#include "transport/org/receive_connector.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace mailflow {

// Whom a connector is for, by what it allows: `internal` trusts whoever reaches it, `partner` takes
// partners, `client` is for submission, `internet` for everybody.
enum class ConnectorKind : std::uint8_t { internet, client, internal, partner };
[[nodiscard]] ConnectorKind kind_of(const ReceiveConnector& connector) noexcept;

// How a session ended.
enum class SessionOutcome : std::uint8_t {
    quit,        // the client said so
    lost,        // the client went away without QUIT
    timed_out,   // it was silent or slow for too long
    closed,      // we had enough: errors, limits, rates, early talk, foreign protocols
    tls_failed,  // the handshake
    stopped,     // the server is stopping
};

enum class AuthResult : std::uint8_t { success, failure, cancelled, error };

// The verbs that are counted by name, and what else is answered: the connection itself, and the
// message after DATA or the last BDAT.
enum class CountedVerb : std::uint8_t {
    connect,
    message,
    helo,
    ehlo,
    mail,
    rcpt,
    data,
    bdat,
    rset,
    noop,
    vrfy,
    expn,
    help,
    quit,
    starttls,
    auth,
    xclient,
    other,
};

// The verb that a command line begins with, in any case; an answer to an AUTH challenge is the
// caller's business (`auth`).
[[nodiscard]] CountedVerb counted_verb(std::string_view line) noexcept;

class ReceiveMetrics {
  public:
    // Refusal reasons told apart; the others count as "other".
    static constexpr std::size_t kMaxReasons = 100;
    // Likewise pairs of TLS version and cipher: OpenSSL knows fewer.
    static constexpr std::size_t kMaxCiphers = 100;

    // `metrics` outlives this.
    explicit ReceiveMetrics(Metrics& metrics);

    void session_started() noexcept { sessions_.add(1); }

    void session_ended(ConnectorKind kind, SessionOutcome outcome) noexcept;
    // A connection that got no session. Also counts the reason.
    void connection_refused(std::string_view reason);
    // `code`: of the reply that was given, 100–599.
    void replied(CountedVerb verb, int code) noexcept;
    // As OpenSSL names them.
    void tls_established(std::string_view version, std::string_view cipher);

    void tls_failed() noexcept { tls_failures_.add(); }

    // A mechanism that is none of ours counts as "other".
    void auth(std::string_view mechanism, AuthResult result) noexcept;
    // Of a sender, recipient, message, name or login. `reason`: a literal, as in Verdict.
    void refused(std::string_view reason);

    void received(std::uint64_t octets) noexcept { octets_in_.add(octets); }

    void sent(std::uint64_t octets) noexcept { octets_out_.add(octets); }

    // Durable and acknowledged.
    void message_accepted(std::size_t recipients, std::uint64_t octets) noexcept;

    // A sender was made to wait, or refused, for want of resources.
    void delayed() noexcept { delayed_.add(); }

  private:
    static constexpr std::size_t kVerbs = static_cast<std::size_t>(CountedVerb::other) + 1;
    static constexpr std::size_t kClasses = 4;  // 2yz to 5yz
    static constexpr std::size_t kKinds = 4;
    static constexpr std::size_t kOutcomes = 6;
    static constexpr std::size_t kMechanisms = 6;
    static constexpr std::size_t kAuthResults = 4;

    Metrics& metrics_;
    Gauge sessions_;
    std::array<std::array<Counter, kOutcomes>, kKinds> ended_;
    Counter refused_connections_;
    std::array<std::array<Counter, kClasses>, kVerbs> replies_;
    std::array<std::array<Counter, kAuthResults>, kMechanisms> auth_;
    std::map<std::pair<std::string, std::string>, Counter> ciphers_;
    Counter tls_failures_;
    std::map<std::string, Counter, std::less<>> reasons_;
    Counter octets_in_;
    Counter octets_out_;
    Counter messages_;
    Counter recipients_;
    Counter message_octets_;
    Counter delayed_;
};

}  // namespace mailflow
