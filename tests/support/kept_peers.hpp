// A PeerMemory in plain containers, which tests fill and look into.
#pragma once

#include "transport/ports/peer_memory.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mailflow {

class KeptPeers final : public PeerMemory {
  public:
    [[nodiscard]] std::optional<StsPolicy> find_policy(std::string_view domain) const override {
        const auto found = kept_policies.find(std::string(domain));
        return found == kept_policies.end() ? std::nullopt : std::optional(found->second);
    }

    void keep_policy(StsPolicy policy) override { kept_policies[policy.domain] = policy; }

    void forget_policy(std::string_view domain) override {
        kept_policies.erase(std::string(domain));
    }

    [[nodiscard]] std::optional<TlsPeer> find_peer(
        std::string_view host, UtcTime now) const override {
        const auto found = kept_peers.find(std::string(host));
        return found == kept_peers.end() || found->second.until <= now
                   ? std::nullopt
                   : std::optional(found->second);
    }

    void keep_peer(TlsPeer peer) override { kept_peers[peer.host] = peer; }

    void count(const TlsResult& result, UtcTime) override { counted.push_back(result); }

    [[nodiscard]] std::vector<TlsPeer> peers() const override { return values(kept_peers); }

    [[nodiscard]] std::vector<StsPolicy> policies() const override { return values(kept_policies); }

    [[nodiscard]] std::vector<TlsResultSum> results() const override { return {}; }

    bool forget(std::string_view name) override {
        const std::string key(name);
        return kept_peers.erase(key) + kept_policies.erase(key) > 0;
    }

    std::map<std::string, TlsPeer> kept_peers;
    std::map<std::string, StsPolicy> kept_policies;
    std::vector<TlsResult> counted;  // in order

  private:
    template <class Value>
    static std::vector<Value> values(const std::map<std::string, Value>& from) {
        std::vector<Value> all;
        for (const auto& [name, value] : from)
            all.push_back(value);
        return all;
    }
};

}  // namespace mailflow
