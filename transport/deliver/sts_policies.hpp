// The MTA-STS policies of recipient domains (RFC 8461 §3.3, §5): found by TXT record, fetched by
// HTTPS, remembered until they expire, refreshed before. One per lane, owned by it, asked by the
// delivery agent; policies are shared with other lanes through PeerMemory.
#pragma once

#include "transport/base/one_shot.hpp"
#include "transport/net/lane.hpp"
#include "transport/ports/https_fetcher.hpp"
#include "transport/ports/peer_memory.hpp"
#include "transport/ports/resolver.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace mailflow {

// RFC 8461 §3.3: a fetch that failed is not repeated sooner, nor one after a failure of a policy.
constexpr Duration kStsFetchPause = std::chrono::minutes(5);
// Domains whose last fetch is remembered.
constexpr std::size_t kMaxStsFetches = 10'000;

class StsPolicies {
  public:
    // All outlive it.
    struct Parts {
        Lane& lane;
        Resolver& resolver;
        HttpsFetcher& fetcher;
        PeerMemory& memory;
    };

    explicit StsPolicies(Parts parts)
        : parts_(parts) {}

    // The policy that holds now; nothing: there is none, or it says `none`. `domain`: A-labels,
    // lower case. Waits for a fetch only when nothing is known that holds.
    Task<std::optional<StsPolicy>> policy_for(std::string domain);
    // The same after hosts fell short of it: it may have changed without a new id (RFC 8461 §5.1,
    // §8.1), so it is fetched again, at most once in kStsFetchPause.
    Task<std::optional<StsPolicy>> policy_after_failure(std::string domain);

  private:
    struct Fetch;

    [[nodiscard]] std::optional<StsPolicy> known(const std::string& domain) const;
    [[nodiscard]] bool is_due(const StsPolicy& policy) const;
    [[nodiscard]] bool may_fetch(const std::string& domain);
    void refresh(const std::string& domain, const std::string& id);
    static Task<void> refresh_behind(StsPolicies* self, std::string domain, std::string id);
    // Waits for the fetch that is under way, or makes one.
    Task<void> fetch(const std::string& domain, const std::string& id);
    Task<std::string> fetch_policy(const std::string& domain, const std::string& id);
    [[nodiscard]] std::string keep(
        const std::string& domain, const std::string& id, const HttpsAnswer& answer);
    void count(const std::string& domain, TlsResultType type, const std::string& detail);

    Parts parts_;
    std::map<std::string, std::shared_ptr<Fetch>> fetches_;
};

}  // namespace mailflow
