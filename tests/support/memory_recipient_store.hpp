// A RecipientStore that keeps its recipients in memory. One thread.
#pragma once

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/ports/recipient_store.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace mailflow {

class MemoryRecipientStore final : public RecipientStore {
  public:
    Task<Result<std::optional<MailRecipient>>> find(std::string name) override {
        if (const auto found = recipients_.find(name); found != recipients_.end()) {
            co_return std::optional(found->second);
        }
        for (const auto& [key, recipient] : recipients_) {
            if (ascii::equal_ignoring_case(recipient.alias, name)) {
                co_return std::optional(recipient);
            }
        }
        co_return std::optional<MailRecipient>();
    }

    Task<Result<std::optional<MailRecipient>>> find_by_address(EmailAddress address) override {
        for (const auto& [key, recipient] : recipients_) {
            if (has(recipient, address)) {
                co_return std::optional(recipient);
            }
        }
        co_return std::optional<MailRecipient>();
    }

    Task<Result<std::optional<MailRecipient>>> find_by_upn(std::string upn) override {
        for (const auto& [key, recipient] : recipients_) {
            if (ascii::equal_ignoring_case(recipient.upn, upn)) {
                co_return std::optional(recipient);
            }
        }
        co_return std::optional<MailRecipient>();
    }

    Task<Result<std::vector<MailRecipient>>> page(std::string after, std::size_t limit) override {
        std::vector<MailRecipient> found;
        for (auto it = recipients_.upper_bound(after);
             it != recipients_.end() && found.size() < limit;
             ++it) {
            found.push_back(it->second);
        }
        co_return found;
    }

    Task<Result<std::uint64_t>> count_in_domain(DomainName domain) override {
        std::uint64_t count = 0;
        for (const auto& [key, recipient] : recipients_) {
            const auto& addresses = recipient.addresses;
            count += std::any_of(addresses.begin(), addresses.end(), [&](const auto& address) {
                return address.domain_text() == domain.text();
            });
        }
        co_return count;
    }

    Task<Result<std::vector<std::string>>> domains(std::string after, std::size_t limit) override {
        std::set<std::string> all;
        for (const auto& [key, recipient] : recipients_) {
            for (const auto& address : recipient.addresses)
                all.insert(address.domain_text());
        }
        std::vector<std::string> found;
        for (auto it = all.upper_bound(after); it != all.end() && found.size() < limit; ++it) {
            found.push_back(*it);
        }
        co_return found;
    }

    Task<Result<>> create(MailRecipient recipient, ChangeAuthor) override {
        if (recipient.upn.empty()) recipient.upn = recipient.primary().text();
        if (is_taken(recipient, nullptr)) {
            co_return make_error_code(Error::already_exists);
        }
        if (!take_names(recipient.send_as)) {
            co_return make_error_code(Error::not_found);
        }
        auto name = recipient.name;
        recipients_.emplace(std::move(name), std::move(recipient));
        co_return Result<>();
    }

    Task<Result<>> replace(std::string name, MailRecipient recipient, ChangeAuthor) override {
        const auto found = find_entry(name);
        if (found == recipients_.end()) {
            co_return make_error_code(Error::not_found);
        }
        if (recipient.upn.empty()) recipient.upn = recipient.primary().text();
        if (is_taken(recipient, &found->second)) {
            co_return make_error_code(Error::already_exists);
        }
        if (!take_names(recipient.send_as)) {
            co_return make_error_code(Error::not_found);
        }
        const auto old_name = found->second.name;
        recipients_.erase(found);
        auto new_name = recipient.name;
        for (auto& [key, other] : recipients_)
            std::replace(other.send_as.begin(), other.send_as.end(), old_name, new_name);
        recipients_.emplace(std::move(new_name), std::move(recipient));
        co_return Result<>();
    }

    Task<Result<>> remove(std::string name, ChangeAuthor) override {
        const auto found = find_entry(name);
        if (found == recipients_.end()) {
            co_return make_error_code(Error::not_found);
        }
        for (auto& [key, other] : recipients_)
            std::erase(other.send_as, found->second.name);
        recipients_.erase(found);
        co_return Result<>();
    }

  private:
    struct Less {
        bool operator()(const std::string& a, const std::string& b) const noexcept {
            return ascii::less_ignoring_case(ascii::to_lower(a), ascii::to_lower(b));
        }
    };

    using Recipients = std::map<std::string, MailRecipient, Less>;

    static bool has(const MailRecipient& recipient, const EmailAddress& address) {
        const auto key = address.lookup_key();
        const auto& addresses = recipient.addresses;
        return std::any_of(addresses.begin(), addresses.end(), [&key](const auto& own) {
            return own.lookup_key() == key;
        });
    }

    Recipients::iterator find_entry(const std::string& name) {
        const auto found = recipients_.find(name);
        return found != recipients_.end()
                   ? found
                   : std::find_if(
                         recipients_.begin(), recipients_.end(), [&name](const auto& entry) {
                             return ascii::equal_ignoring_case(entry.second.alias, name);
                         });
    }

    // As their owners spell them; false when one is nobody's.
    bool take_names(std::vector<std::string>& names) const {
        for (auto& name : names) {
            const auto found = recipients_.find(name);
            if (found == recipients_.end()) return false;
            name = found->second.name;
        }
        return true;
    }

    [[nodiscard]] bool is_taken(const MailRecipient& recipient, const MailRecipient* itself) const {
        return std::any_of(recipients_.begin(), recipients_.end(), [&](const auto& entry) {
            const auto& other = entry.second;
            const auto& addresses = recipient.addresses;
            return &other != itself &&
                   (ascii::equal_ignoring_case(other.name, recipient.name) ||
                    ascii::equal_ignoring_case(other.alias, recipient.alias) ||
                    ascii::equal_ignoring_case(other.upn, recipient.upn) ||
                    std::any_of(addresses.begin(), addresses.end(), [&](const auto& address) {
                        return has(other, address);
                    }));
        });
    }

    Recipients recipients_;
};

}  // namespace mailflow
