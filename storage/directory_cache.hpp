// What the directory was asked lately and what it answered, also "nobody": bounded, the longest
// unused goes first. Of one lane.
#pragma once

#include "transport/ports/directory.hpp"

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mailflow {

class DirectoryCache {
  public:
    explicit DirectoryCache(std::size_t capacity) noexcept
        : capacity_(capacity) {}

    // Null: not in the cache. Points to null: known to be nobody.
    [[nodiscard]] const MailRecipientPtr* find(std::string_view key);
    void insert(std::string key, MailRecipientPtr recipient);
    void clear() noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  private:
    struct Entry {
        std::string key;
        MailRecipientPtr recipient;
    };

    std::size_t capacity_;
    std::list<Entry> entries_;  // the latest used first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> index_;
};

}  // namespace mailflow
