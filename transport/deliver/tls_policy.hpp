// Which TLS one host must give, and what follows when it does not: the two pure decisions behind
// STARTTLS as a client. `decide_tls` is made before connecting, from connector, message, DANE,
// MTA-STS and memory; `next_move` at each step of the session; `judge_certificate` after the
// handshake. Used by the delivery agent, its sessions, and explain; any thread.
#pragma once

#include "transport/deliver/dane.hpp"
#include "transport/deliver/tls_demand.hpp"
#include "transport/net/tls_stream.hpp"
#include "transport/org/send_connector.hpp"
#include "transport/ports/records/tls_records.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

// ---- before connecting

enum class TlsPlace : std::uint8_t {
    mx_host,         // found through the recipient's domain
    smart_host,      // named by an administrator
    mailbox_server,  // SMTP, likewise
    lmtp_server,     // TLS is not said
};

struct TlsQuestion {
    const SendConnector* connector = nullptr;  // not null
    TlsPlace place = TlsPlace::mx_host;
    std::string recipient_domain;   // A-labels, lower case; empty: none
    std::string host;               // MX name, or address in brackets
    bool require_tls = false;       // REQUIRETLS of the message (RFC 8689 §2)
    bool tls_not_required = false;  // its field `TLS-Required: No` (RFC 8689 §5)
    DaneAnswer dane;
    const StsPolicy* sts = nullptr;  // valid now; null: none
    bool sts_lists_host = false;     // one of its `mx` patterns matches the host
    const TlsPeer* peer = nullptr;   // optional TLS failed here, and that is remembered
};

// Why a host is not spoken to, or not good enough: for reports (RFC 8460 §4.3) and in words.
struct TlsShortfall {
    TlsResultType type = TlsResultType::validation_failure;
    std::string words;

    friend bool operator==(const TlsShortfall&, const TlsShortfall&) = default;
};

struct TlsDecision {
    TlsDemand demand;
    // The host cannot meet the demand, whatever it says: it is not connected to, another one may.
    std::optional<TlsShortfall> refused;

    friend bool operator==(const TlsDecision&, const TlsDecision&) = default;
};

[[nodiscard]] TlsDecision decide_tls(const TlsQuestion& question);

// Whether DANE and MTA-STS can matter, so that asking for them is worth it.
[[nodiscard]] bool asks_dane(const TlsQuestion& question) noexcept;
[[nodiscard]] bool asks_sts(const TlsQuestion& question) noexcept;

// ---- the session, step by step

enum class TlsEvent : std::uint8_t {
    offered,           // EHLO: STARTTLS
    not_offered,       // EHLO without it, HELO, or there is no TLS here
    ready,             // 220 to STARTTLS
    refused,           // 4yz or 5yz to STARTTLS: the session goes on in clear
    closing,           // 421, no reply, or one that is none
    injected,          // octets in clear behind the 220 (RFC 3207 §6)
    handshake_failed,  // or it stalled, or the connection ended in it
    not_good_enough,   // encrypted, with a certificate that falls short
    encrypted,         // as demanded
};

enum class TlsMove : std::uint8_t {
    say_starttls,
    shake_hands,
    proceed,             // with what the session has: TLS, or clear where that is allowed
    reconnect_in_clear,  // and remember that TLS failed here
    give_up,             // this host; another one, or later
};

[[nodiscard]] TlsMove next_move(const TlsDemand& demand, TlsEvent event) noexcept;

// ---- after the handshake

// Nothing: good enough.
[[nodiscard]] std::optional<TlsShortfall> judge_certificate(
    const TlsDemand& demand, const TlsFacts& facts);

// RFC 7817 §3, RFC 6125 §6.4: a presented name against one we look for. A presented wildcard stands
// for exactly one whole leftmost label. `*.contoso.com` as the name looked for is met by every name
// below contoso.com, and by that wildcard.
[[nodiscard]] bool names_match(std::string_view wanted, std::string_view presented) noexcept;

// What the handshake is to check while it has the chain in hand: TLSA records and their names.
[[nodiscard]] TlsExpectation expectation_of(const TlsDemand& demand);

}  // namespace mailflow
