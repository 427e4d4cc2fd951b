// Looking names up. One resolver per lane, used on that lane only. Answers come from a cache when
// their TTL allows.
#pragma once

#include "transport/base/task.hpp"
#include "transport/mail/domain_name.hpp"
#include "transport/ports/records/dns_records.hpp"

#include <string>

namespace mailflow {

class Resolver {
  public:
    virtual ~Resolver() = default;

    // CNAMEs are followed to a bounded depth, record counts are capped (dns/limits). Never throws,
    // never cancels late: ends within the resolver's own time limit.
    virtual Task<DnsAnswer<MxRecord>> find_mx(DomainName name) = 0;
    virtual Task<DnsAnswer<IpAddress>> find_ipv4(DomainName name) = 0;
    virtual Task<DnsAnswer<IpAddress>> find_ipv6(DomainName name) = 0;
    virtual Task<DnsAnswer<std::string>> find_txt(std::string name) = 0;

    // `_25._tcp.mx.contoso.com`. Bogus answers are `temporary`, as for every type.
    virtual Task<DnsAnswer<TlsaRecord>> find_tlsa(std::string /*name*/) {
        DnsAnswer<TlsaRecord> none;
        none.status = DnsStatus::no_such_data;
        co_return none;
    }

    // Whether `authentic` can ever be true.
    [[nodiscard]] virtual DnssecTrust dnssec() const noexcept { return DnssecTrust::untrusted; }

    // Why it cannot, for people.
    [[nodiscard]] virtual std::string dnssec_detail() const { return {}; }
};

}  // namespace mailflow
