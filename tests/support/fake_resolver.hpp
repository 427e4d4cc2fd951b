// A Resolver that answers from tables a test fills: the double for everything that looks names up.
// A name nobody added does not exist (NXDOMAIN); a name with other records only has no such data.
// Answers at once, keeps what was asked. Used on one lane; the tables may change between look-ups.
#pragma once

#include "transport/ports/resolver.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

class FakeResolver final : public Resolver {
  public:
    // Names are compared without case and without trailing dot.
    void add_mx(std::string_view name, std::uint16_t preference, std::string_view exchange);

    // RFC 7505: `MX 0 .`
    void add_null_mx(std::string_view name) { add_mx(name, 0, ""); }

    // An A or AAAA record, as the text says.
    void add_address(std::string_view name, std::string_view address);
    void add_txt(std::string_view name, std::string_view text);
    void add_cname(std::string_view name, std::string_view target);
    void add_tlsa(std::string_view name, TlsaRecord record);
    // Answers for this name are authentic, if those of the whole chain are and `dnssec` is proven.
    void set_authentic(std::string_view name, bool authentic = true);

    void set_dnssec(DnssecTrust trust) noexcept { dnssec_ = trust; }

    // Every look-up of `name` ends so, whatever records it has: temporary (SERVFAIL), no_such_name,
    // no_such_data.
    void set_status(std::string_view name, DnsStatus status);
    // The name is as if never added.
    void remove(std::string_view name);

    void set_ttl(std::chrono::seconds ttl) noexcept { ttl_ = ttl; }

    Task<DnsAnswer<MxRecord>> find_mx(DomainName name) override;
    Task<DnsAnswer<IpAddress>> find_ipv4(DomainName name) override;
    Task<DnsAnswer<IpAddress>> find_ipv6(DomainName name) override;
    Task<DnsAnswer<std::string>> find_txt(std::string name) override;
    Task<DnsAnswer<TlsaRecord>> find_tlsa(std::string name) override;

    [[nodiscard]] DnssecTrust dnssec() const noexcept override { return dnssec_; }

    // `MX contoso.com`, `A mail.contoso.com`, in the order asked.
    [[nodiscard]] const std::vector<std::string>& queries() const noexcept { return queries_; }

    void forget_queries() noexcept { queries_.clear(); }

  private:
    struct Name {
        std::vector<MxRecord> mx;
        std::vector<IpAddress> ipv4;
        std::vector<IpAddress> ipv6;
        std::vector<std::string> txt;
        std::vector<TlsaRecord> tlsa;
        bool authentic = false;
        std::string cname;
        DnsStatus status = DnsStatus::found;  // anything else: what every look-up says
    };

    static std::string key(std::string_view name);

    template <class Record>
    DnsAnswer<Record> answer(
        std::string_view type, std::string_view name, std::vector<Record> Name::*records);

    std::map<std::string, Name, std::less<>> names_;
    std::vector<std::string> queries_;
    std::chrono::seconds ttl_{300};
    DnssecTrust dnssec_ = DnssecTrust::untrusted;
};

}  // namespace mailflow
