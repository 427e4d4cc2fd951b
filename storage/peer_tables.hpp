// What PeerMemory promises, in memory: bounded tables behind one lock, and which rows changed since
// they were last written. Used by PeerDatabase; any thread. The lock is held for one operation and
// never while anything is waited for.
#pragma once

#include "transport/ports/peer_memory.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace mailflow {

// Days of results that are kept: a report is about yesterday, and may be sent late.
constexpr int kTlsResultDays = 7;
// Octets of text that a peer wrote: the rest is cut.
constexpr std::size_t kMaxPeerText = 512;

// One row of results.
struct TlsResultKey {
    UtcTime day{};
    std::string policy_domain;
    TlsPolicyType policy = TlsPolicyType::no_policy_found;
    std::string host;
    TlsResultType type = TlsResultType::success;

    friend auto operator<=>(const TlsResultKey&, const TlsResultKey&) = default;
};

class PeerTables {
  public:
    // A row as it is now; nothing: it went.
    struct Changes {
        std::vector<std::pair<std::string, std::optional<StsPolicy>>> policies;
        std::vector<std::pair<std::string, std::optional<TlsPeer>>> peers;
        std::vector<std::pair<TlsResultKey, std::optional<TlsResultSum>>> results;

        [[nodiscard]] bool empty() const noexcept {
            return policies.empty() && peers.empty() && results.empty();
        }
    };

    // What was stored, before anything else; over the bounds: the oldest are left out.
    void load(
        std::vector<StsPolicy> policies,
        std::vector<TlsPeer> peers,
        std::vector<TlsResultSum> results);

    [[nodiscard]] std::optional<StsPolicy> find_policy(std::string_view domain) const;
    [[nodiscard]] std::optional<TlsPeer> find_peer(std::string_view host, UtcTime now) const;
    [[nodiscard]] std::vector<TlsPeer> peers() const;
    [[nodiscard]] std::vector<StsPolicy> policies() const;
    [[nodiscard]] std::vector<TlsResultSum> results() const;

    // True: these are the first changes since `take_changes`.
    bool keep_policy(StsPolicy policy);
    bool forget_policy(std::string_view domain);
    bool keep_peer(TlsPeer peer);
    bool count(const TlsResult& result, UtcTime now);
    // Whether there was anything; `first` as above.
    bool forget(std::string_view name, bool& first);

    [[nodiscard]] Changes take_changes();

  private:
    // Called with the lock held.
    bool note_change();
    void drop_old_days(UtcTime today);

    mutable std::mutex mutex_;
    std::map<std::string, StsPolicy, std::less<>> policies_;
    std::map<std::string, TlsPeer, std::less<>> peers_;
    std::map<TlsResultKey, TlsResultSum> results_;
    std::map<UtcTime, std::size_t> rows_of_day_;
    std::set<std::string, std::less<>> changed_policies_;
    std::set<std::string, std::less<>> changed_peers_;
    std::set<TlsResultKey> changed_results_;
    bool changed_ = false;
};

}  // namespace mailflow
