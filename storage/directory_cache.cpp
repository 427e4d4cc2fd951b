#include "storage/directory_cache.hpp"

namespace mailflow {

const MailRecipientPtr* DirectoryCache::find(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) {
        return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->recipient;
}

void DirectoryCache::insert(std::string key, MailRecipientPtr recipient) {
    if (const auto found = index_.find(key); found != index_.end()) {
        found->second->recipient = std::move(recipient);
        return;
    }
    if (entries_.size() >= capacity_) {
        index_.erase(entries_.back().key);
        entries_.pop_back();
    }
    entries_.push_front({std::move(key), std::move(recipient)});
    index_.emplace(entries_.front().key, entries_.begin());
}

void DirectoryCache::clear() noexcept {
    index_.clear();
    entries_.clear();
}

}  // namespace mailflow
