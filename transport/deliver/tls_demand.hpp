// What TLS one host must give in one attempt, and why. Made by tls_policy from the connector, the
// message, DANE, MTA-STS and what is remembered; obeyed by the client; part of the connection
// cache's key (decisions §2.6), so that no session is used under another policy.
#pragma once

#include "transport/ports/records/dns_records.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mailflow {

// Rising; what a level asks for holds for those above it up to domain_validation. Authentication by
// DANE is beside it.
enum class TlsLevel : std::uint8_t {
    none,                    // STARTTLS is not said
    opportunistic,           // said when offered; anything that goes wrong: in clear
    encryption_only,         // encrypted or not at all
    certificate_validation,  // + a valid chain
    domain_validation,       // + one of `names` among the subject alternative names (RFC 7817)
    dane,                    // `tlsa` matches (RFC 7672); names where usage 2 asks for them
};

// Who asks for it: the first that applies wins, the strictest of connector and message.
enum class TlsSource : std::uint8_t {
    nobody,     // opportunistic by nature
    memory,     // optional TLS failed here before: none for a while
    connector,  // require_tls, tls_auth_level, auth = basic-require-tls, ignore_starttls
    message,    // REQUIRETLS (RFC 8689)
    dane,       // RFC 7672
    mta_sts,    // RFC 8461
};

struct TlsDemand {
    TlsLevel level = TlsLevel::opportunistic;
    TlsSource source = TlsSource::nobody;
    std::string sni;                 // empty: none (an address)
    std::vector<std::string> names;  // reference identifiers; `*.contoso.com` for tls_domain
    std::vector<TlsaRecord> tlsa;    // usable ones; empty with level dane never
    std::string policy_id;           // of the MTA-STS policy
    // The host must offer REQUIRETLS in its EHLO after STARTTLS (RFC 8689 §4.2.1).
    bool requires_requiretls = false;
    // Not met: only counted and shown (MTA-STS in testing mode).
    bool testing = false;

    // The session may be in clear.
    [[nodiscard]] bool is_optional() const noexcept { return level <= TlsLevel::opportunistic; }

    // Equal keys: sessions stand for each other.
    [[nodiscard]] std::string key() const;

    friend bool operator==(const TlsDemand&, const TlsDemand&) = default;
};

[[nodiscard]] const char* to_text(TlsLevel level) noexcept;
[[nodiscard]] const char* to_text(TlsSource source) noexcept;

}  // namespace mailflow
