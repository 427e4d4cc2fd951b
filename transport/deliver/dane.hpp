// DANE for SMTP (RFC 7672): whether a host is authenticated by TLSA records, by which, and under
// which names. Pure but for `find_dane`, which asks the Resolver what the pure part wants to know.
// Used by the delivery agent before tls_policy, and by explain; on the resolver's lane.
#pragma once

#include "transport/base/task.hpp"
#include "transport/ports/resolver.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// TLSA records of one host that are looked at; the rest is dropped.
constexpr std::size_t kMaxTlsaRecords = 20;

enum class DaneState : std::uint8_t {
    absent,    // nothing secure says anything: DANE has no part in this
    unusable,  // records, none usable: encrypted, nobody authenticated (RFC 7672 §2.2)
    usable,    // one of `records` must match
    unknown,   // bogus or no answer: the host is not spoken to now, never in clear (§2.1.2)
};

struct DaneAnswer {
    DaneState state = DaneState::absent;
    std::string base_domain;          // where the records were found: SNI, first name
    std::vector<TlsaRecord> records;  // usable ones
    std::string detail;               // for people: why it is unknown, unusable or absent

    friend bool operator==(const DaneAnswer&, const DaneAnswer&) = default;
};

// How a host came to be tried.
struct DaneHost {
    std::string name;       // of the MX record, or the domain itself without one; lower case
    std::string canonical;  // where its CNAMEs lead; empty: it is no alias
    std::uint16_t port = 25;
    bool mx_authentic = false;       // the answer to the MX query, also when it is "no MX"
    bool address_authentic = false;  // those of the host's addresses that are used
};

// The TLSA base domains to ask, in this order; none: DANE is not asked.
[[nodiscard]] std::vector<std::string> tlsa_base_domains(const DaneHost& host);

// `_25._tcp.mail.contoso.com` (RFC 6698 §3).
[[nodiscard]] std::string tlsa_name(std::string_view base_domain, std::uint16_t port);

// RFC 7672 §3.1: usages 2 and 3; selectors and matching types RFC 6698 knows, digests of their
// length.
[[nodiscard]] bool is_usable(const TlsaRecord& record) noexcept;

// What the TLSA answer at one base domain comes to.
[[nodiscard]] DaneAnswer judge_tlsa(std::string base_domain, DnsAnswer<TlsaRecord> answer);

// The first base domain that has secure records, or cannot be known, decides.
[[nodiscard]] Task<DaneAnswer> find_dane(Resolver& resolver, DaneHost host);

}  // namespace mailflow
