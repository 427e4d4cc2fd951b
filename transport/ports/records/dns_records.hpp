// Answers of the DNS as the flow sees them: what was asked for, how it ended, and for how long it
// may be believed.
#pragma once

#include "transport/base/ip_address.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace mailflow {

enum class DnsStatus : std::uint8_t {
    found,         // at least one record
    no_such_name,  // NXDOMAIN
    no_such_data,  // the name exists, not with this type
    temporary,     // SERVFAIL, REFUSED, time-out, no server, malformed answer
};

// RFC 1035 §3.3.9. `exchange` is lower case without trailing dot; empty for the root: a null MX
// (RFC 7505).
struct MxRecord {
    std::uint16_t preference = 0;
    std::string exchange;

    friend bool operator==(const MxRecord&, const MxRecord&) = default;
};

// RFC 6698 §2.1. `data` are octets.
struct TlsaRecord {
    std::uint8_t usage = 0;
    std::uint8_t selector = 0;
    std::uint8_t matching = 0;
    std::string data;

    friend auto operator<=>(const TlsaRecord&, const TlsaRecord&) = default;
};

// What the resolver's word about DNSSEC is worth (decisions §2.8).
enum class DnssecTrust : std::uint8_t {
    untrusted,  // `[dns] trust_ad` does not name every server: AD is ignored
    unproven,   // not probed yet, or the probe failed: AD is ignored
    proven,     // it validates: a secure name had AD, a bogus one SERVFAIL
};

[[nodiscard]] constexpr const char* to_text(DnssecTrust trust) noexcept {
    switch (trust) {
        case DnssecTrust::proven: return "proven";
        case DnssecTrust::unproven: return "unproven";
        case DnssecTrust::untrusted: break;
    }
    return "untrusted";
}

template <class Record>
struct DnsAnswer {
    DnsStatus status = DnsStatus::temporary;
    std::vector<Record> records;
    std::chrono::seconds ttl{0};
    // AD bit on every answer of the CNAME chain, from servers that are proven to validate.
    bool authentic = false;
    std::string canonical_name{};  // where the CNAMEs led; lower case; empty: there were none
    std::string detail;            // for people: `SERVFAIL from 127.0.0.1:5353`; empty when found
};

}  // namespace mailflow
