#include "dns/caching_resolver.hpp"

#include "dns/ares_channel.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace mailflow {

namespace {

using dns::Answer;
using dns::Outcome;
using dns::Question;
using dns::RecordType;
using dns::ResourceRecord;
using dns::ResponseCode;

std::string canonical(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    return ascii::to_lower(name);
}

std::string key_of(const Question& question) {
    return question.name + ' ' + std::to_string(static_cast<unsigned>(question.type));
}

// Where a chain of CNAMEs inside one answer leads.
struct ChainEnd {
    std::string name;
    std::size_t links = 0;
    std::chrono::seconds ttl = dns::kMaxTtl;
};

const ResourceRecord* find_cname(const Answer& answer, const std::string& name) {
    const auto found =
        std::find_if(answer.answers.begin(), answer.answers.end(), [&name](const auto& record) {
            return record.type == RecordType::cname && record.name == name;
        });
    return found == answer.answers.end() ? nullptr : &*found;
}

// Stops one link beyond `budget`, which is how the caller sees a chain that is too long or a loop.
ChainEnd follow_cnames(const Answer& answer, std::string name, std::size_t budget) {
    ChainEnd end{std::move(name), 0, dns::kMaxTtl};
    while (end.links <= budget) {
        const auto* const record = find_cname(answer, end.name);
        if (record == nullptr) break;
        end.name = std::get<dns::CanonicalName>(record->data).target;
        end.ttl = std::min(end.ttl, record->ttl);
        ++end.links;
    }
    return end;
}

bool has_authority(const Answer& answer, RecordType type) {
    return std::any_of(
        answer.authority.begin(), answer.authority.end(), [type](const auto& record) {
            return record.type == type;
        });
}

// RFC 2308 §5: the lesser of the SOA's TTL and its minimum; without a SOA a negative answer is not
// kept.
std::chrono::seconds negative_ttl(const Answer& answer) {
    for (const auto& record : answer.authority) {
        const auto* const soa = std::get_if<dns::StartOfAuthority>(&record.data);
        if (soa != nullptr) return std::min({record.ttl, soa->minimum, dns::kMaxNegativeTtl});
    }
    return std::chrono::seconds(0);
}

Outcome failed(std::string detail) {
    Outcome outcome;
    outcome.detail = std::move(detail);
    return outcome;
}

// What an answer says about the name its chain ends at. Nothing: the chain goes on in a further
// query.
std::optional<Outcome> outcome_of(
    const Answer& answer, const Question& question, const ChainEnd& end) {
    if (answer.code == ResponseCode::no_such_name) {
        return Outcome{
            DnsStatus::no_such_name,
            {},
            std::min(end.ttl, negative_ttl(answer)),
            end.name + " does not exist",
            false};
    }
    if (answer.code != ResponseCode::no_error) {
        return failed(dns::name_of(answer.code) + " for " + end.name);
    }
    Outcome outcome;
    auto ttl = end.ttl;
    for (const auto& record : answer.answers) {
        if (record.type != question.type || record.name != end.name) continue;
        ttl = std::min(ttl, record.ttl);
        outcome.records.push_back(record.data);
    }
    if (!outcome.records.empty()) {
        outcome.status = DnsStatus::found;
        // Deviation: a TTL of zero is kept for kMinTtl, so that a burst of mail to one domain is
        // one query.
        outcome.ttl = std::max(ttl, dns::kMinTtl);
        return outcome;
    }
    const bool has_soa = has_authority(answer, RecordType::soa);
    if (end.links > 0 && !has_soa) return std::nullopt;
    // RFC 2308 §2.2: name servers without a SOA are a referral, not "no data": this server does not
    // resolve for us.
    if (!has_soa && has_authority(answer, RecordType::ns)) {
        return failed("only a referral for " + end.name);
    }
    return Outcome{
        DnsStatus::no_such_data,
        {},
        std::min(end.ttl, negative_ttl(answer)),
        end.name + " has no " + dns::name_of(question.type) + " record",
        false};
}

}  // namespace

CachingResolver::CachingResolver(
    Lane& lane, std::unique_ptr<dns::Channel> channel, dns::AnswerCache::Limits limits)
    : lane_(lane)
    , channel_(std::move(channel))
    , cache_(limits) {}

CachingResolver::~CachingResolver() = default;

void CachingResolver::prove_dnssec(std::unique_ptr<dns::DnssecProver> prover) {
    prover_ = std::move(prover);
    prover_->start();
}

void CachingResolver::stop() {
    channel_->stop();
    if (prover_) prover_->stop();
}

DnssecTrust CachingResolver::dnssec() const noexcept {
    return prover_ ? prover_->trust() : DnssecTrust::untrusted;
}

std::string CachingResolver::dnssec_detail() const {
    return prover_ ? prover_->detail() : "[dns] trust_ad does not name every name server";
}

Task<DnsAnswer<MxRecord>> CachingResolver::find_mx(DomainName name) {
    auto answer = co_await find<MxRecord>(name.text(), RecordType::mx);
    co_return answer;
}

Task<DnsAnswer<IpAddress>> CachingResolver::find_ipv4(DomainName name) {
    auto answer = co_await find<IpAddress>(name.text(), RecordType::a);
    co_return answer;
}

Task<DnsAnswer<IpAddress>> CachingResolver::find_ipv6(DomainName name) {
    auto answer = co_await find<IpAddress>(name.text(), RecordType::aaaa);
    co_return answer;
}

Task<DnsAnswer<std::string>> CachingResolver::find_txt(std::string name) {
    auto answer = co_await find<std::string>(std::move(name), RecordType::txt);
    co_return answer;
}

Task<DnsAnswer<TlsaRecord>> CachingResolver::find_tlsa(std::string name) {
    auto answer = co_await find<TlsaRecord>(std::move(name), RecordType::tlsa);
    co_return answer;
}

template <class Record>
Task<DnsAnswer<Record>> CachingResolver::find(std::string name, RecordType type) {
    Question question{canonical(name), type};
    const auto outcome = co_await look_up(std::move(question));
    DnsAnswer<Record> answer;
    answer.status = outcome->status;
    answer.ttl = outcome->ttl;
    answer.detail = outcome->detail;
    answer.authentic = outcome->authentic && dnssec() == DnssecTrust::proven;
    answer.canonical_name = outcome->canonical_name;
    for (const auto& data : outcome->records)
        answer.records.push_back(std::get<Record>(data));
    co_return answer;
}

// From the cache, with an equal look-up under way, or by a query of our own.
Task<CachingResolver::SharedOutcome> CachingResolver::look_up(Question question) {
    ++counters_.lookups;
    const auto key = key_of(question);
    if (auto known = cache_.find(key, lane_.clock().monotonic())) {
        ++counters_.from_cache;
        co_return known;
    }
    if (const auto same = in_flight_.find(key); same != in_flight_.end()) {
        if (same->second.size() >= dns::kMaxWaitersPerQuery) {
            co_return std::make_shared<const Outcome>(
                failed("too many look-ups of " + question.name));
        }
        ++counters_.joined;
        OneShot<SharedOutcome> done;
        same->second.push_back(&done);
        auto shared = co_await done.wait();
        co_return shared;
    }
    in_flight_.emplace(key, Waiters{});
    auto resolved = co_await resolve(std::move(question));
    const SharedOutcome outcome = std::make_shared<const Outcome>(std::move(resolved));
    if (outcome->ttl > std::chrono::seconds(0)) {
        cache_.keep(key, outcome, lane_.clock().monotonic() + outcome->ttl);
    }
    const auto entry = in_flight_.extract(key);
    for (auto* const waiter : entry.mapped())
        waiter->complete(outcome);
    co_return outcome;
}

Task<Outcome> CachingResolver::resolve(Question question) {
    std::size_t links = 0;
    auto chain_ttl = dns::kMaxTtl;
    auto at = question;
    bool authentic = true;
    for (;;) {
        ++counters_.queries;
        const auto reply = co_await channel_->ask(at);
        if (!reply.answered) {
            if (prover_) prover_->on_failure(lane_.clock().monotonic());
            co_return failed(reply.failure);
        }
        authentic = authentic && reply.answer.authentic;
        auto end = follow_cnames(reply.answer, at.name, dns::kMaxCnameDepth - links);
        links += end.links;
        // RFC 1034 §3.6.2 wants chains short and says that loops are errors.
        if (links > dns::kMaxCnameDepth)
            co_return failed("CNAME chain of " + question.name + " is too long or a loop");
        end.ttl = chain_ttl = std::min(chain_ttl, end.ttl);
        auto outcome = outcome_of(reply.answer, question, end);
        if (outcome) {
            outcome->authentic = authentic && outcome->status != DnsStatus::temporary;
            if (links > 0) outcome->canonical_name = end.name;
            co_return *std::move(outcome);
        }
        at.name = std::move(end.name);
    }
}

Result<std::unique_ptr<CachingResolver>> make_resolver(Lane& lane, const DnsSettings& settings) {
    auto servers = dns::name_servers(settings);
    if (!servers) return servers.error();
    dns::AresChannel::Settings channel{
        *servers, settings.try_timeout, settings.tries, settings.query_timeout};
    auto resolver =
        std::make_unique<CachingResolver>(lane, std::make_unique<dns::AresChannel>(lane, channel));
    if (!dns::trusts_ad(settings, *servers)) return resolver;
    // Each server by itself: one that does not validate would answer where another refuses.
    std::vector<std::unique_ptr<dns::Channel>> one_by_one;
    for (const auto& server : *servers) {
        channel.servers = {server};
        one_by_one.push_back(std::make_unique<dns::AresChannel>(lane, channel));
    }
    resolver->prove_dnssec(std::make_unique<dns::DnssecProver>(
        lane, std::move(one_by_one), dns::ProbeZones{settings.probe_secure, settings.probe_bogus}));
    return resolver;
}

}  // namespace mailflow
