// A Directory of mailboxes a test adds. Answers at once. One thread.
#pragma once

#include "transport/base/ascii.hpp"
#include "transport/ports/directory.hpp"

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

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
                               ascii::equal_ignoring_case(recipient->upn, login);
            if (named || ascii::equal_ignoring_case(key, login)) {
                co_return recipient;
            }
        }
        co_return nullptr;
    }

    // The first address is the primary one.
    void add_mailbox(std::string_view name, std::initializer_list<std::string_view> addresses) {
        auto recipient = std::make_shared<MailRecipient>();
        recipient->name = name;
        recipient->alias = name;
        recipient->display_name = name;
        for (const auto& text : addresses) {
            recipient->addresses.push_back(EmailAddress::parse(text).value());
        }
        recipient->upn = recipient->addresses.front().text();
        for (const auto& address : recipient->addresses) {
            recipients_[address.lookup_key()] = recipient;
        }
    }

    // Of a mailbox there is; so it can log in.
    void set_verifier(std::string_view name, const ScramVerifier& verifier) {
        std::shared_ptr<MailRecipient> changed;
        for (auto& [key, recipient] : recipients_) {
            if (recipient->name == name) {
                changed = changed ? changed : std::make_shared<MailRecipient>(*recipient);
                changed->verifier = verifier;
                recipient = changed;
            }
        }
    }

    // A mailbox, by its name, becomes another.
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
    std::map<std::string, MailRecipientPtr> recipients_;
    ErrorCode error_;
    std::size_t look_ups_ = 0;
};

}  // namespace mailflow
