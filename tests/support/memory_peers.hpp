// A PeerMemory of plain vectors, without bounds and files. One thread.
#pragma once

#include "transport/base/ascii.hpp"
#include "transport/ports/peer_memory.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace mailflow {

class MemoryPeers final : public PeerMemory {
  public:
    [[nodiscard]] std::optional<StsPolicy> find_policy(std::string_view domain) const override {
        for (const auto& policy : policies_)
            if (ascii::equal_ignoring_case(policy.domain, domain)) return policy;
        return std::nullopt;
    }

    void keep_policy(StsPolicy policy) override {
        forget_policy(policy.domain);
        policy.domain = ascii::to_lower(policy.domain);
        policies_.push_back(std::move(policy));
        std::sort(policies_.begin(), policies_.end(), [](const auto& a, const auto& b) {
            return a.domain < b.domain;
        });
    }

    void forget_policy(std::string_view domain) override {
        std::erase_if(policies_, [domain](const auto& policy) {
            return ascii::equal_ignoring_case(policy.domain, domain);
        });
    }

    [[nodiscard]] std::optional<TlsPeer> find_peer(
        std::string_view host, UtcTime now) const override {
        for (const auto& peer : peers_)
            if (ascii::equal_ignoring_case(peer.host, host) && peer.until > now) return peer;
        return std::nullopt;
    }

    void keep_peer(TlsPeer peer) override {
        peer.host = ascii::to_lower(peer.host);
        std::erase_if(peers_, [&peer](const auto& other) { return other.host == peer.host; });
        peers_.push_back(std::move(peer));
        std::sort(peers_.begin(), peers_.end(), [](const auto& a, const auto& b) {
            return a.host < b.host;
        });
    }

    void count(const TlsResult& result, UtcTime now) override {
        auto named = result;
        named.policy_domain = ascii::to_lower(result.policy_domain);
        named.host = ascii::to_lower(result.host);
        const UtcTime day(std::chrono::floor<std::chrono::days>(now));
        auto found = std::find_if(results_.begin(), results_.end(), [&](const auto& sum) {
            return key_of(sum) == key_of({named, day, 0});
        });
        if (found == results_.end()) {
            found = results_.insert(found, {named, day, 0});
        }
        found->result.detail = result.detail;
        ++found->sessions;
        std::sort(results_.begin(), results_.end(), [](const auto& a, const auto& b) {
            return key_of(a) < key_of(b);
        });
    }

    [[nodiscard]] std::vector<TlsPeer> peers() const override { return peers_; }

    [[nodiscard]] std::vector<StsPolicy> policies() const override { return policies_; }

    [[nodiscard]] std::vector<TlsResultSum> results() const override { return results_; }

    bool forget(std::string_view name) override {
        const auto key = ascii::to_lower(name);
        const auto gone =
            std::erase_if(policies_, [&](const auto& policy) { return policy.domain == key; }) +
            std::erase_if(peers_, [&](const auto& peer) { return peer.host == key; }) +
            std::erase_if(results_, [&](const auto& sum) {
                return sum.result.policy_domain == key || sum.result.host == key;
            });
        return gone > 0;
    }

  private:
    using Key = std::tuple<UtcTime, std::string, TlsPolicyType, std::string, TlsResultType>;

    static Key key_of(const TlsResultSum& sum) {
        const auto& result = sum.result;
        return {sum.day, result.policy_domain, result.policy, result.host, result.type};
    }

    std::vector<StsPolicy> policies_;
    std::vector<TlsPeer> peers_;
    std::vector<TlsResultSum> results_;
};

}  // namespace mailflow
