// A Directory of recipients a test adds. Answers at once. One thread.
#pragma once

#include "transport/base/ascii.hpp"
#include "transport/ports/directory.hpp"

#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace mailflow {

class MemoryDirectory final : public Directory {
  public:
    Task<Result<MailRecipientPtr>> find_recipient(EmailAddress address) override {
        ++look_ups_;
        if (error_) {
            co_return error_;
        }
        const auto found = recipients_.find(address.lookup_key());
        co_return found == recipients_.end() ? nullptr : found->second;
    }

    // By UPN, address or alias; no `DOMAIN\alias` here.
    Task<Result<MailRecipientPtr>> find_login(std::string login) override {
        ++look_ups_;
        if (error_) {
            co_return error_;
        }
        for (const auto& [key, recipient] : recipients_) {
            const bool named = ascii::equal_ignoring_case(recipient->alias, login) ||
                               ascii::equal_ignoring_case(recipient->upn, login) ||
                               ascii::equal_ignoring_case(key, login);
            if (named && !login.empty() && recipient->kind == RecipientKind::mailbox) {
                co_return recipient;
            }
        }
        co_return nullptr;
    }

    Task<Result<MailRecipientPtr>> find_by_name(std::string name) override {
        ++look_ups_;
        if (error_) {
            co_return error_;
        }
        co_return named(name);
    }

    Task<Result<std::vector<MailRecipientPtr>>> members(
        std::string group, std::string after, std::size_t limit) override {
        ++look_ups_;
        if (error_) {
            co_return error_;
        }
        std::vector<MailRecipientPtr> found;
        const auto& names = members_[group];
        for (auto it = names.upper_bound(after); it != names.end() && found.size() < limit; ++it) {
            if (auto member = named(*it)) found.push_back(std::move(member));
        }
        co_return found;
    }

    Task<Result<bool>> is_member(std::string group, std::string recipient) override {
        ++look_ups_;
        if (error_) {
            // A bool could be made of an error code too.
            co_return Result<bool>(boost::system::in_place_error, error_);
        }
        // The groups that are reached through `depth` groups.
        std::set<std::string, Less> reached{group};
        for (std::uint32_t depth = 0; depth <= kMaxGroupDepth; ++depth) {
            std::set<std::string, Less> next;
            for (const auto& name : reached) {
                const auto& names = members_[name];
                if (names.contains(recipient)) {
                    co_return true;
                }
                next.insert(names.begin(), names.end());
            }
            reached = std::move(next);
        }
        co_return false;
    }

    // Any kind, whole; in place of the one of its name. Never without an address.
    void add(MailRecipient recipient) {
        std::erase_if(recipients_, [&recipient](const auto& entry) {
            return ascii::equal_ignoring_case(entry.second->name, recipient.name);
        });
        const auto shared = std::make_shared<const MailRecipient>(std::move(recipient));
        for (const auto& address : shared->addresses)
            recipients_[address.lookup_key()] = shared;
    }

    // The first address is the primary one.
    void add_mailbox(std::string_view name, std::initializer_list<std::string_view> addresses) {
        auto mailbox = with_addresses(name, addresses);
        mailbox.upn = mailbox.primary().text();
        add(std::move(mailbox));
    }

    void add_contact(
        std::string_view name,
        std::initializer_list<std::string_view> addresses,
        std::string_view external) {
        auto contact = with_addresses(name, addresses);
        contact.kind = RecipientKind::contact;
        contact.external_address = EmailAddress::parse(external).value();
        add(std::move(contact));
    }

    // Members are names of recipients that are there now or later.
    void add_group(
        std::string_view name, std::string_view address, std::vector<std::string> members) {
        auto group = with_addresses(name, {address});
        group.kind = RecipientKind::group;
        add(std::move(group));
        set_members(name, std::move(members));
    }

    void set_members(std::string_view group, std::vector<std::string> members) {
        members_[std::string(group)] = {members.begin(), members.end()};
    }

    // Of a mailbox there is; so it can log in.
    void set_verifier(std::string_view name, const ScramVerifier& verifier) {
        change(name, [&verifier](MailRecipient& mailbox) { mailbox.verifier = verifier; });
    }

    // A recipient, by its name, becomes another; its addresses stay.
    template <class Change>
    void change(std::string_view name, const Change& change) {
        std::shared_ptr<MailRecipient> changed;
        for (auto& [key, recipient] : recipients_) {
            if (recipient->name != name) {
                continue;
            }
            if (changed == nullptr) {
                changed = std::make_shared<MailRecipient>(*recipient);
                change(*changed);
            }
            recipient = changed;
        }
    }

    // Every look-up ends so; no error: works again.
    void fail_with(ErrorCode error) noexcept { error_ = error; }

    [[nodiscard]] std::size_t look_ups() const noexcept { return look_ups_; }

  private:
    struct Less {
        bool operator()(const std::string& a, const std::string& b) const noexcept {
            return ascii::less_ignoring_case(ascii::to_lower(a), ascii::to_lower(b));
        }
    };

    static MailRecipient with_addresses(
        std::string_view name, std::initializer_list<std::string_view> addresses) {
        MailRecipient recipient;
        recipient.name = name;
        recipient.alias = name;
        recipient.display_name = name;
        for (const auto& text : addresses)
            recipient.addresses.push_back(EmailAddress::parse(text).value());
        return recipient;
    }

    [[nodiscard]] MailRecipientPtr named(const std::string& name) const {
        for (const auto& [key, recipient] : recipients_) {
            if (ascii::equal_ignoring_case(recipient->name, name)) return recipient;
        }
        return nullptr;
    }

    std::map<std::string, MailRecipientPtr> recipients_;  // by the key of each address
    std::map<std::string, std::set<std::string, Less>, Less> members_;
    ErrorCode error_;
    std::size_t look_ups_ = 0;
};

}  // namespace mailflow
