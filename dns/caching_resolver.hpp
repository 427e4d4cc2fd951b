// The Resolver of a lane: asks a Channel, follows CNAME chains, keeps positive answers by TTL and
// negative ones by the SOA (RFC 2308), and lets equal look-ups share one query. Failures are never
// kept. Used on its lane only.
#pragma once

#include "dns/answer_cache.hpp"
#include "dns/channel.hpp"
#include "dns/dnssec_prover.hpp"
#include "dns/name_servers.hpp"
#include "transport/net/lane.hpp"
#include "transport/ports/resolver.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace mailflow {

class CachingResolver final : public Resolver {
  public:
    // The lane outlives the resolver.
    CachingResolver(
        Lane& lane, std::unique_ptr<dns::Channel> channel, dns::AnswerCache::Limits limits = {});
    ~CachingResolver() override;
    CachingResolver(const CachingResolver&) = delete;
    CachingResolver& operator=(const CachingResolver&) = delete;

    Task<DnsAnswer<MxRecord>> find_mx(DomainName name) override;
    Task<DnsAnswer<IpAddress>> find_ipv4(DomainName name) override;
    Task<DnsAnswer<IpAddress>> find_ipv6(DomainName name) override;
    Task<DnsAnswer<std::string>> find_txt(std::string name) override;
    Task<DnsAnswer<TlsaRecord>> find_tlsa(std::string name) override;

    // Any thread. `untrusted` until a prover is given.
    [[nodiscard]] DnssecTrust dnssec() const noexcept override;
    // Why it is not `proven`, for people. On the lane.
    [[nodiscard]] std::string dnssec_detail() const override;
    // Once, before the first look-up: it begins to probe, and what it finds rules `dnssec`.
    void prove_dnssec(std::unique_ptr<dns::DnssecProver> prover);

    // Look-ups under way and later ones end at once as `temporary`. Call it when the lane stops;
    // the resolver may go once the lane's tasks have ended.
    void stop();

    struct Counters {
        std::uint64_t lookups = 0;
        std::uint64_t from_cache = 0;
        std::uint64_t joined = 0;   // shared the query of an equal look-up
        std::uint64_t queries = 0;  // asked of the channel
    };

    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

  private:
    using SharedOutcome = std::shared_ptr<const dns::Outcome>;
    using Waiters = std::vector<OneShot<SharedOutcome>*>;

    template <class Record>
    Task<DnsAnswer<Record>> find(std::string name, dns::RecordType type);
    Task<SharedOutcome> look_up(dns::Question question);
    Task<dns::Outcome> resolve(dns::Question question);

    Lane& lane_;
    std::unique_ptr<dns::Channel> channel_;
    std::unique_ptr<dns::DnssecProver> prover_;  // null: AD is ignored
    dns::AnswerCache cache_;
    std::unordered_map<std::string, Waiters> in_flight_;
    Counters counters_;
};

// A resolver over c-ares. Error::syntax, Error::too_large: a name server in the settings is wrong.
[[nodiscard]] Result<std::unique_ptr<CachingResolver>> make_resolver(
    Lane& lane, const DnsSettings& settings);

}  // namespace mailflow
