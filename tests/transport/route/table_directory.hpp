// A directory as tables: answers what the pure steps of the categorizer want to know, and counts
// how often it was asked. Names ignore case.
#pragma once

#include "transport/base/ascii.hpp"
#include "transport/route/directory_facts.hpp"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailflow {

class TableDirectory {
  public:
    // Added, or in place of the one of its name. The first address is the primary one.
    MailRecipient& add(
        RecipientKind kind, std::string name, std::initializer_list<std::string_view> addresses) {
        auto recipient = std::make_shared<MailRecipient>();
        recipient->kind = kind;
        recipient->alias = name;
        recipient->name = std::move(name);
        for (const auto& text : addresses) {
            recipient->addresses.push_back(EmailAddress::parse(text).value());
        }
        const auto key = ascii::to_lower(recipient->name);
        return *(recipients_[key] = std::move(recipient));
    }

    MailRecipient& mailbox(std::string name, std::initializer_list<std::string_view> addresses) {
        return add(RecipientKind::mailbox, std::move(name), addresses);
    }

    MailRecipient& contact(
        std::string name,
        std::initializer_list<std::string_view> addresses,
        std::string_view external) {
        auto& added = add(RecipientKind::contact, std::move(name), addresses);
        added.external_address = EmailAddress::parse(external).value();
        return added;
    }

    MailRecipient& group(
        std::string name,
        std::initializer_list<std::string_view> addresses,
        std::vector<std::string> members) {
        for (auto& member : members) {
            members_[ascii::to_lower(name)].insert(ascii::to_lower(member));
        }
        return add(RecipientKind::group, std::move(name), addresses);
    }

    [[nodiscard]] RecipientPtr find_by_name(std::string_view name) const {
        const auto found = recipients_.find(ascii::to_lower(name));
        return found == recipients_.end() ? nullptr : found->second;
    }

    [[nodiscard]] RecipientPtr find(const EmailAddress& address) const {
        for (const auto& [name, recipient] : recipients_) {
            for (const auto& own : recipient->addresses) {
                if (own.lookup_key() == address.lookup_key()) {
                    return recipient;
                }
            }
        }
        return nullptr;
    }

    [[nodiscard]] std::vector<RecipientPtr> members(
        std::string_view group, std::string_view after, std::size_t limit) const {
        std::vector<RecipientPtr> page;
        const auto found = members_.find(ascii::to_lower(group));
        if (found == members_.end()) {
            return page;
        }
        for (auto name = found->second.upper_bound(ascii::to_lower(after));
             name != found->second.end() && page.size() < limit;
             ++name) {
            page.push_back(find_by_name(*name));
        }
        return page;
    }

    [[nodiscard]] bool is_member(std::string_view group, std::string_view recipient) const {
        std::set<std::string> seen;
        return is_below(ascii::to_lower(group), ascii::to_lower(recipient), seen);
    }

    void answer(DirectoryFacts& facts) {
        const auto lookup = facts.wanted().value();
        ++look_ups_;
        switch (lookup.kind) {
            case DirectoryLookup::Kind::address: facts.answer(find(*lookup.address)); break;
            case DirectoryLookup::Kind::name: facts.answer(find_by_name(lookup.name)); break;
            case DirectoryLookup::Kind::members:
                facts.answer(members(lookup.name, lookup.other, kMembersPage));
                break;
            case DirectoryLookup::Kind::membership:
                facts.answer(is_member(lookup.name, lookup.other));
                break;
        }
    }

    [[nodiscard]] std::size_t look_ups() const noexcept { return look_ups_; }

  private:
    [[nodiscard]] bool is_below(
        const std::string& group, const std::string& recipient, std::set<std::string>& seen) const {
        const auto found = members_.find(group);
        if (found == members_.end() || !seen.insert(group).second) {
            return false;
        }
        return std::any_of(found->second.begin(), found->second.end(), [&](const auto& member) {
            return member == recipient || is_below(member, recipient, seen);
        });
    }

    std::map<std::string, std::shared_ptr<MailRecipient>> recipients_;
    std::map<std::string, std::set<std::string>> members_;
    std::size_t look_ups_ = 0;
};

}  // namespace mailflow
