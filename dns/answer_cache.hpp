// Answers that may still be believed, by name and type: bounded in entries and octets, the least
// recently used goes first. Part of one lane's CachingResolver.
#pragma once

#include "dns/limits.hpp"
#include "dns/message.hpp"
#include "transport/base/clock.hpp"

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace mailflow::dns {

// How a look-up ended: records of the type asked for, at the end of the CNAME chain.
struct Outcome {
    DnsStatus status = DnsStatus::temporary;
    std::vector<RecordData> records;
    std::chrono::seconds ttl{0};  // zero: not to be kept
    std::string detail;
    bool authentic = false;        // AD on every answer of the chain, whatever that is worth
    std::string canonical_name{};  // where the CNAMEs led; empty: there were none
};

class AnswerCache {
  public:
    struct Limits {
        std::size_t entries = kMaxCacheEntries;
        std::size_t octets = kMaxCacheOctets;
    };

    explicit AnswerCache(Limits limits) noexcept
        : limits_(limits) {}

    AnswerCache() noexcept
        : AnswerCache(Limits{}) {}

    // Null when unknown or no longer to be believed.
    [[nodiscard]] std::shared_ptr<const Outcome> find(const std::string& key, MonotonicTime now);
    // `until`: when it stops being believed.
    void keep(const std::string& key, std::shared_ptr<const Outcome> outcome, MonotonicTime until);

    [[nodiscard]] std::size_t entries() const noexcept { return used_.size(); }

    [[nodiscard]] std::size_t octets() const noexcept { return octets_; }

  private:
    struct Entry {
        std::string key;
        std::shared_ptr<const Outcome> outcome;
        MonotonicTime until;
        std::size_t octets;
    };

    using Entries = std::list<Entry>;
    void drop(Entries::iterator entry);

    Limits limits_;
    Entries used_;  // the most recently used first
    std::unordered_map<std::string, Entries::iterator> index_;
    std::size_t octets_ = 0;
};

}  // namespace mailflow::dns
