#include "storage/peer_tables.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

UtcTime day_of(UtcTime time) {
    return UtcTime(std::chrono::floor<std::chrono::days>(time));
}

// Whoever is over the bound makes room for more than one: looking for the oldest looks at all.
std::size_t rows_to_drop(std::size_t size, std::size_t limit) {
    return size <= limit ? 0 : size - limit + limit / 16;
}

// Removes the oldest rows, and says which they were.
template <class Rows, class Age>
void trim(Rows& rows, std::size_t limit, Age age, std::set<std::string, std::less<>>& changed) {
    const auto drop = rows_to_drop(rows.size(), limit);
    if (drop == 0) {
        return;
    }
    std::vector<typename Rows::iterator> order;
    order.reserve(rows.size());
    for (auto row = rows.begin(); row != rows.end(); ++row) {
        order.push_back(row);
    }
    const auto last = order.begin() + static_cast<std::ptrdiff_t>(drop);
    std::nth_element(order.begin(), last, order.end(), [age](const auto& a, const auto& b) {
        return std::pair(age(a->second), std::string_view(a->first)) <
               std::pair(age(b->second), std::string_view(b->first));
    });
    for (auto row = order.begin(); row != last; ++row) {
        changed.insert((*row)->first);
        rows.erase(*row);
    }
}

UtcTime age_of_policy(const StsPolicy& policy) {
    return policy.fetched;
}

UtcTime age_of_peer(const TlsPeer& peer) {
    return peer.failed;
}

TlsResultKey key_of(const TlsResult& result, UtcTime day) {
    return {
        day,
        ascii::to_lower(result.policy_domain),
        result.policy,
        ascii::to_lower(result.host),
        result.type};
}

void cut(std::string& text) {
    text.resize(std::min(text.size(), kMaxPeerText));
}

}  // namespace

void PeerTables::load(
    std::vector<StsPolicy> policies,
    std::vector<TlsPeer> peers,
    std::vector<TlsResultSum> results) {
    const std::lock_guard lock(mutex_);
    for (auto& policy : policies) {
        auto key = policy.domain;
        policies_.insert_or_assign(std::move(key), std::move(policy));
    }
    for (auto& peer : peers) {
        auto key = peer.host;
        peers_.insert_or_assign(std::move(key), std::move(peer));
    }
    for (auto& sum : results) {
        auto& rows = rows_of_day_[sum.day];
        if (rows < kMaxTlsResults && results_.emplace(key_of(sum.result, sum.day), sum).second) {
            ++rows;
        }
    }
    trim(policies_, kMaxStsPolicies, age_of_policy, changed_policies_);
    trim(peers_, kMaxRememberedPeers, age_of_peer, changed_peers_);
}

// ---- reading

std::optional<StsPolicy> PeerTables::find_policy(std::string_view domain) const {
    const auto key = ascii::to_lower(domain);
    const std::lock_guard lock(mutex_);
    const auto found = policies_.find(key);
    return found == policies_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<TlsPeer> PeerTables::find_peer(std::string_view host, UtcTime now) const {
    const auto key = ascii::to_lower(host);
    const std::lock_guard lock(mutex_);
    const auto found = peers_.find(key);
    return found == peers_.end() || found->second.until <= now ? std::nullopt
                                                               : std::optional(found->second);
}

std::vector<TlsPeer> PeerTables::peers() const {
    const std::lock_guard lock(mutex_);
    std::vector<TlsPeer> all;
    all.reserve(peers_.size());
    for (const auto& [host, peer] : peers_) {
        all.push_back(peer);
    }
    return all;
}

std::vector<StsPolicy> PeerTables::policies() const {
    const std::lock_guard lock(mutex_);
    std::vector<StsPolicy> all;
    all.reserve(policies_.size());
    for (const auto& [domain, policy] : policies_) {
        all.push_back(policy);
    }
    return all;
}

std::vector<TlsResultSum> PeerTables::results() const {
    const std::lock_guard lock(mutex_);
    std::vector<TlsResultSum> all;
    all.reserve(results_.size());
    for (const auto& [key, sum] : results_) {
        all.push_back(sum);
    }
    return all;
}

// ---- changing

bool PeerTables::note_change() {
    return !std::exchange(changed_, true);
}

bool PeerTables::keep_policy(StsPolicy policy) {
    policy.domain = ascii::to_lower(policy.domain);
    const std::lock_guard lock(mutex_);
    changed_policies_.insert(policy.domain);
    auto key = policy.domain;
    policies_.insert_or_assign(std::move(key), std::move(policy));
    trim(policies_, kMaxStsPolicies, age_of_policy, changed_policies_);
    return note_change();
}

bool PeerTables::forget_policy(std::string_view domain) {
    const auto key = ascii::to_lower(domain);
    const std::lock_guard lock(mutex_);
    if (policies_.erase(key) == 0) {
        return false;
    }
    changed_policies_.insert(key);
    return note_change();
}

bool PeerTables::keep_peer(TlsPeer peer) {
    peer.host = ascii::to_lower(peer.host);
    cut(peer.why);
    const std::lock_guard lock(mutex_);
    changed_peers_.insert(peer.host);
    auto key = peer.host;
    peers_.insert_or_assign(std::move(key), std::move(peer));
    trim(peers_, kMaxRememberedPeers, age_of_peer, changed_peers_);
    return note_change();
}

void PeerTables::drop_old_days(UtcTime today) {
    const auto oldest = today - std::chrono::days(kTlsResultDays - 1);
    while (!results_.empty() && results_.begin()->first.day < oldest) {
        changed_results_.insert(results_.begin()->first);
        results_.erase(results_.begin());
    }
    std::erase_if(rows_of_day_, [oldest](const auto& day) { return day.first < oldest; });
}

bool PeerTables::count(const TlsResult& result, UtcTime now) {
    const auto day = day_of(now);
    auto key = key_of(result, day);
    const std::lock_guard lock(mutex_);
    auto found = results_.find(key);
    if (found == results_.end()) {
        drop_old_days(day);
        auto& rows = rows_of_day_[day];
        if (rows >= kMaxTlsResults) {
            // A day of more kinds of results than are kept is reported by those that came first.
            return false;
        }
        ++rows;
        found = results_.emplace(key, TlsResultSum{result, day, 0}).first;
        found->second.result.policy_domain = key.policy_domain;
        found->second.result.host = key.host;
    }
    found->second.result.detail = result.detail;
    cut(found->second.result.detail);
    ++found->second.sessions;
    changed_results_.insert(std::move(key));
    return note_change();
}

bool PeerTables::forget(std::string_view name, bool& first) {
    const auto key = ascii::to_lower(name);
    const std::lock_guard lock(mutex_);
    bool any = policies_.erase(key) > 0;
    if (any) {
        changed_policies_.insert(key);
    }
    if (peers_.erase(key) > 0) {
        any = true;
        changed_peers_.insert(key);
    }
    for (auto row = results_.begin(); row != results_.end();) {
        if (row->first.policy_domain == key || row->first.host == key) {
            any = true;
            --rows_of_day_[row->first.day];
            changed_results_.insert(row->first);
            row = results_.erase(row);
        } else {
            ++row;
        }
    }
    first = any && note_change();
    return any;
}

// ---- writing down

namespace {

template <class Value, class Key, class Rows, class Changed>
std::vector<std::pair<Key, std::optional<Value>>> rows_of(
    const Rows& rows, const Changed& changed) {
    std::vector<std::pair<Key, std::optional<Value>>> all;
    all.reserve(changed.size());
    for (const auto& key : changed) {
        const auto found = rows.find(key);
        all.emplace_back(key, found == rows.end() ? std::nullopt : std::optional(found->second));
    }
    return all;
}

}  // namespace

PeerTables::Changes PeerTables::take_changes() {
    const std::lock_guard lock(mutex_);
    Changes changes;
    changes.policies = rows_of<StsPolicy, std::string>(policies_, changed_policies_);
    changes.peers = rows_of<TlsPeer, std::string>(peers_, changed_peers_);
    changes.results = rows_of<TlsResultSum, TlsResultKey>(results_, changed_results_);
    changed_policies_.clear();
    changed_peers_.clear();
    changed_results_.clear();
    changed_ = false;
    return changes;
}

}  // namespace mailflow
