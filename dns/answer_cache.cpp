#include "dns/answer_cache.hpp"

#include <utility>

namespace mailflow::dns {

namespace {

std::size_t octets_of(const RecordData& data) {
    std::size_t octets = sizeof(RecordData);
    if (const auto* const mx = std::get_if<MxRecord>(&data)) octets += mx->exchange.size();
    if (const auto* const text = std::get_if<std::string>(&data)) octets += text->size();
    if (const auto* const tlsa = std::get_if<TlsaRecord>(&data)) octets += tlsa->data.size();
    return octets;
}

// List and hash nodes, the key twice, the outcome: near enough for a bound.
std::size_t octets_of(const std::string& key, const Outcome& outcome) {
    constexpr std::size_t kNodes = 160;
    std::size_t octets = kNodes + 2 * key.size() + sizeof(Outcome) + outcome.detail.size() +
                         outcome.canonical_name.size();
    for (const auto& data : outcome.records)
        octets += octets_of(data);
    return octets;
}

}  // namespace

std::shared_ptr<const Outcome> AnswerCache::find(const std::string& key, MonotonicTime now) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    if (found->second->until <= now) {
        drop(found->second);
        return nullptr;
    }
    used_.splice(used_.begin(), used_, found->second);
    return found->second->outcome;
}

void AnswerCache::keep(
    const std::string& key, std::shared_ptr<const Outcome> outcome, MonotonicTime until) {
    if (const auto found = index_.find(key); found != index_.end()) drop(found->second);
    const auto octets = octets_of(key, *outcome);
    if (octets > limits_.octets || limits_.entries == 0) return;
    while (used_.size() >= limits_.entries || octets_ + octets > limits_.octets)
        drop(std::prev(used_.end()));
    used_.push_front(Entry{key, std::move(outcome), until, octets});
    index_.emplace(key, used_.begin());
    octets_ += octets;
}

void AnswerCache::drop(Entries::iterator entry) {
    octets_ -= entry->octets;
    index_.erase(entry->key);
    used_.erase(entry);
}

}  // namespace mailflow::dns
