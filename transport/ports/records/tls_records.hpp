// What is known about other hosts' TLS: policies, peers, results. Plain data.
#pragma once

#include "transport/base/clock.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mailflow {

// RFC 8461 §3.2
enum class StsMode : std::uint8_t { none, testing, enforce };

struct StsPolicy {
    std::string domain;  // A-labels, lower case
    std::string id;      // of the TXT record it was fetched under
    StsMode mode = StsMode::none;
    std::vector<std::string> mx;  // patterns, lower case: `mail.contoso.com`, `*.contoso.com`
    UtcTime fetched{};
    UtcTime expires{};  // fetched + max_age

    friend bool operator==(const StsPolicy&, const StsPolicy&) = default;
};

// A host whose optional TLS failed.
struct TlsPeer {
    std::string host;  // MX name, or address in brackets
    std::string why;   // `handshake: no shared cipher`
    UtcTime failed{};
    UtcTime until{};  // in clear until then
    std::uint32_t failures = 0;

    friend bool operator==(const TlsPeer&, const TlsPeer&) = default;
};

// RFC 8460 §4.2, §4.3
enum class TlsPolicyType : std::uint8_t { tlsa, sts, no_policy_found };

enum class TlsResultType : std::uint8_t {
    success,
    starttls_not_supported,
    certificate_host_mismatch,
    certificate_expired,
    certificate_not_trusted,
    validation_failure,
    tlsa_invalid,
    dnssec_invalid,
    dane_required,
    sts_policy_fetch_error,
    sts_policy_invalid,
    sts_webpki_invalid,
};

// RFC 8460 §4.3: `certificate-host-mismatch` …
[[nodiscard]] const char* to_text(TlsResultType type) noexcept;
[[nodiscard]] const char* to_text(TlsPolicyType type) noexcept;
[[nodiscard]] const char* to_text(StsMode mode) noexcept;

struct TlsResult {
    std::string policy_domain;  // the recipient's domain
    TlsPolicyType policy = TlsPolicyType::no_policy_found;
    std::string host;  // MX name; empty: no session was begun
    TlsResultType type = TlsResultType::success;
    std::string detail;  // for people

    friend bool operator==(const TlsResult&, const TlsResult&) = default;
};

struct TlsResultSum {
    TlsResult result;  // with the last detail
    UtcTime day{};     // its midnight, UTC
    std::uint64_t sessions = 0;
};

}  // namespace mailflow
