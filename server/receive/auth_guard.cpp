#include "server/receive/auth_guard.hpp"

#include "server/receive/rate_limiter.hpp"
#include "transport/net/call_on.hpp"

namespace mailflow {

namespace {

bool is_exempt(const TransportSettings& limits, const IpAddress& source) {
    return any_contains(limits.auth_failure_exempt_ranges, source);
}

template <class Entry>
bool is_at_limit(const Entry* entry, const std::optional<std::uint32_t>& limit) {
    return entry != nullptr && limit && entry->failures >= *limit;
}

// A try that was no failure after all: with the last one the entry goes.
template <class Table, class Key>
void uncount(Table& table, const Key& key) {
    const auto found = table.entries.find(key);
    if (found != table.entries.end() && --found->second.failures == 0) {
        table.erase(key);
    }
}

}  // namespace

// ---- tables

template <class Key>
auto AuthGuard::Table<Key>::find(const Key& key, MonotonicTime now, Duration age) const
    -> const Entry* {
    const auto found = entries.find(key);
    return found == entries.end() || now - found->second.since >= age ? nullptr : &found->second;
}

template <class Key>
auto AuthGuard::Table<Key>::begin(const Key& key, MonotonicTime now, std::size_t capacity)
    -> Entry& {
    erase(key);
    if (entries.size() >= capacity) {
        erase(Key(order.front()));
    }
    auto& entry = entries[key];
    entry.since = now;
    entry.place = order.insert(order.end(), key);
    return entry;
}

template <class Key>
void AuthGuard::Table<Key>::erase(const Key& key) {
    const auto found = entries.find(key);
    if (found != entries.end()) {
        order.erase(found->second.place);
        entries.erase(found);
    }
}

// ---- the rule

AuthTryVerdict AuthGuard::begin(
    const AuthTry& attempt, const TransportSettings& limits, MonotonicTime now) {
    if (is_exempt(limits, attempt.source)) {
        return AuthTryVerdict::allowed;
    }
    const auto source = source_network(attempt.source);
    const auto* by_source = sources_.find(source, now, kAuthFailureWindow);
    if (is_at_limit(by_source, limits.auth_failure_limit_per_source)) {
        return AuthTryVerdict::source_refused;
    }
    const auto* by_account = accounts_.find(attempt.account, now, kAuthFailureWindow);
    const bool is_known =
        known_.find(Pair(attempt.account, source), now, kKnownSourceFor) != nullptr;
    if (is_at_limit(by_account, limits.auth_failure_limit_per_account) && !is_known) {
        return AuthTryVerdict::account_refused;
    }
    count(sources_, source, now);
    count(accounts_, attempt.account, now);
    return AuthTryVerdict::allowed;
}

void AuthGuard::end(
    const AuthTry& attempt,
    const TransportSettings& limits,
    AuthTryEnd outcome,
    MonotonicTime now) {
    if (outcome == AuthTryEnd::failed || is_exempt(limits, attempt.source)) {
        return;
    }
    const auto source = source_network(attempt.source);
    uncount(sources_, source);
    uncount(accounts_, attempt.account);
    if (outcome == AuthTryEnd::succeeded) {
        known_.begin(Pair(attempt.account, source), now, capacity_);
    }
}

template <class Key>
void AuthGuard::count(Table<Key>& table, const Key& key, MonotonicTime now) {
    const bool is_new = table.find(key, now, kAuthFailureWindow) == nullptr;
    auto& entry = is_new ? table.begin(key, now, capacity_) : table.entries.find(key)->second;
    ++entry.failures;
}

// ---- from other lanes

namespace {

Task<AuthTryVerdict> begin_try(
    AuthGuard* guard, const AuthTry* attempt, const TransportSettings* limits, const Clock* clock) {
    co_return guard->begin(*attempt, *limits, clock->monotonic());
}

}  // namespace

Task<AuthTryVerdict> AuthGate::begin(AuthTry attempt, OrganizationPtr organization) {
    const auto make = [&] {
        return begin_try(&guard_, &attempt, &organization->transport(), &guard_lane_.clock());
    };
    const auto verdict = co_await call_on(own_lane_, guard_lane_, make);
    co_return verdict;
}

void AuthGate::end(AuthTry attempt, OrganizationPtr organization, AuthTryEnd outcome) {
    if (outcome == AuthTryEnd::failed) {
        return;  // counted from its beginning
    }
    if (&own_lane_ == &guard_lane_) {
        guard_.end(attempt, organization->transport(), outcome, guard_lane_.clock().monotonic());
        return;
    }
    guard_lane_.post([guard = &guard_,
                      lane = &guard_lane_,
                      attempt = std::move(attempt),
                      organization = std::move(organization),
                      outcome] {
        guard->end(attempt, organization->transport(), outcome, lane->clock().monotonic());
    });
}

}  // namespace mailflow
