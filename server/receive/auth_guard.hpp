// Who has guessed passwords too often. Failures are counted per source network (v4 /32, v6 /64) and
// per account; each count ends kAuthFailureWindow after its first failure. The rule for one try:
//
//  1. A source in an exempt range (loopback by default) is never refused; its failures count for
//     nothing.
//  2. A source at its limit is refused, whatever the account.
//  3. An account at its limit is refused to every source but those it is known to log in from: one
//     that succeeded with this account within kKnownSourceFor is let in (until rule 2 stops it), so
//     that a stranger who guesses does not lock the owner out.
//
// A try counts as failed from its beginning until it is known to have succeeded or was given up
// before a password could be judged: a hundred sessions at once get no more guesses than one after
// the other. Refused tries are not counted, so a lock ends by itself. What is refused is answered
// like a wrong password, with no password work done.
//
// One for all lanes: it lives on the accepting lane, is used on it only, and is reached from others
// through AuthGate. Pure but for the time it is given. Memory is bounded by kMaxAuthEntries a
// table; the oldest are forgotten first.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/ip_address.hpp"
#include "transport/net/lane.hpp"
#include "transport/org/organization.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>

namespace mailflow {

// Time after the first failure of a source or account at which its count starts anew.
constexpr Duration kAuthFailureWindow = std::chrono::minutes(15);
// How long a source is known to an account after it logged in.
constexpr Duration kKnownSourceFor = std::chrono::hours(24 * 30);
// Sources, accounts, and pairs of both that are remembered; each.
constexpr std::size_t kMaxAuthEntries = 100'000;

struct AuthTry {
    IpAddress source;     // the client's address
    std::string account;  // one text for one account; no case
};

enum class AuthTryVerdict : std::uint8_t { allowed, source_refused, account_refused };
enum class AuthTryEnd : std::uint8_t { succeeded, failed, given_up };

class AuthGuard {
  public:
    explicit AuthGuard(std::size_t capacity = kMaxAuthEntries) noexcept
        : capacity_(capacity) {}

    // Every try that is allowed ends with one `end`.
    [[nodiscard]] AuthTryVerdict begin(
        const AuthTry& attempt, const TransportSettings& limits, MonotonicTime now);
    void end(
        const AuthTry& attempt,
        const TransportSettings& limits,
        AuthTryEnd outcome,
        MonotonicTime now);

    [[nodiscard]] std::size_t sources() const noexcept { return sources_.entries.size(); }

    [[nodiscard]] std::size_t accounts() const noexcept { return accounts_.entries.size(); }

    [[nodiscard]] std::size_t known() const noexcept { return known_.entries.size(); }

  private:
    // What is remembered of each key since its last beginning; the oldest is forgotten first.
    template <class Key>
    struct Table {
        struct Entry {
            MonotonicTime since;
            std::uint32_t failures = 0;
            typename std::list<Key>::iterator place;
        };

        // Null when there is none, or when it is as old as `age`.
        [[nodiscard]] const Entry* find(const Key& key, MonotonicTime now, Duration age) const;
        // A new one, or the one of before with its time begun anew.
        Entry& begin(const Key& key, MonotonicTime now, std::size_t capacity);
        void erase(const Key& key);

        std::map<Key, Entry> entries;
        std::list<Key> order;
    };

    using Pair = std::pair<std::string, IpAddress>;

    template <class Key>
    void count(Table<Key>& table, const Key& key, MonotonicTime now);

    std::size_t capacity_;
    Table<IpAddress> sources_;
    Table<std::string> accounts_;
    Table<Pair> known_;  // accounts with the sources they logged in from
};

// How one lane reaches the guard. One per lane; all outlive it.
class AuthGate {
  public:
    AuthGate(AuthGuard& guard, Lane& guard_lane, Lane& own_lane) noexcept
        : guard_(guard)
        , guard_lane_(guard_lane)
        , own_lane_(own_lane) {}

    Task<AuthTryVerdict> begin(AuthTry attempt, OrganizationPtr organization);
    // Never waits.
    void end(AuthTry attempt, OrganizationPtr organization, AuthTryEnd outcome);

  private:
    AuthGuard& guard_;
    Lane& guard_lane_;
    Lane& own_lane_;
};

}  // namespace mailflow
