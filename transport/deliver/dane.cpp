#include "transport/deliver/dane.hpp"

#include "transport/base/ascii.hpp"

#include <utility>

namespace mailflow {

std::vector<std::string> tlsa_base_domains(const DaneHost& host) {
    // RFC 7672 §2.2.1: through an insecure MX anybody could have led us to the host, and §2.2.2: a
    // host with insecure addresses is not asked, as its name servers may fail on TLSA.
    // Deviation: a secure alias of an insecure host is not asked either (§2.1.3 would try the
    // alias): its host is as insecure as any other.
    if (!host.mx_authentic || !host.address_authentic || host.name.starts_with('[')) return {};
    // RFC 7672 §2.2.2: of a secure alias, the fully expanded name first, then the name itself.
    if (!host.canonical.empty() && !ascii::equal_ignoring_case(host.canonical, host.name)) {
        return {host.canonical, host.name};
    }
    return {host.name};
}

std::string tlsa_name(std::string_view base_domain, std::uint16_t port) {
    return "_" + std::to_string(port) + "._tcp." + std::string(base_domain);
}

bool is_usable(const TlsaRecord& record) noexcept {
    // RFC 7672 §3.1.3: usages 0 and 1 are not for SMTP.
    constexpr unsigned kTrustAnchor = 2;
    constexpr unsigned kEndEntity = 3;
    constexpr std::size_t kSha256Octets = 32;
    constexpr std::size_t kSha512Octets = 64;
    if (record.usage != kTrustAnchor && record.usage != kEndEntity) return false;
    // Whole certificate, public key (RFC 6698 §2.1.2).
    if (record.selector > 1) return false;
    switch (record.matching) {
        case 0: return !record.data.empty();
        case 1: return record.data.size() == kSha256Octets;
        case 2: return record.data.size() == kSha512Octets;
        default: return false;
    }
}

DaneAnswer judge_tlsa(std::string base_domain, DnsAnswer<TlsaRecord> answer) {
    DaneAnswer dane;
    dane.base_domain = std::move(base_domain);
    if (answer.status == DnsStatus::temporary) {
        // RFC 7672 §2.1.1, §2.1.2: a bogus answer and none at all may be an attacker's, who wants
        // us to go without.
        dane.state = DaneState::unknown;
        dane.detail = "TLSA of " + dane.base_domain + ": " + answer.detail;
        return dane;
    }
    if (answer.status != DnsStatus::found) {
        dane.detail = "no TLSA records";
        return dane;
    }
    if (!answer.authentic) {
        dane.detail = "TLSA records that no signature protects";
        return dane;
    }
    if (answer.records.size() > kMaxTlsaRecords) answer.records.resize(kMaxTlsaRecords);
    std::erase_if(answer.records, [](const TlsaRecord& record) { return !is_usable(record); });
    dane.records = std::move(answer.records);
    dane.state = dane.records.empty() ? DaneState::unusable : DaneState::usable;
    if (dane.records.empty()) dane.detail = "no TLSA record that SMTP can use";
    return dane;
}

Task<DaneAnswer> find_dane(Resolver& resolver, DaneHost host) {
    DaneAnswer dane;
    dane.detail = "MX or address records that no signature protects";
    if (resolver.dnssec() != DnssecTrust::proven) {
        dane.detail = "no resolver that is proven to validate";
        co_return dane;
    }
    const auto bases = tlsa_base_domains(host);
    for (const auto& base : bases) {
        auto look_up = resolver.find_tlsa(tlsa_name(base, host.port));
        auto answer = co_await std::move(look_up);
        dane = judge_tlsa(base, std::move(answer));
        if (dane.state != DaneState::absent) break;
    }
    co_return dane;
}

}  // namespace mailflow
