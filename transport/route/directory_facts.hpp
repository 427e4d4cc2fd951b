// What is known of the directory while a message is categorized: the answers so far. The pure steps
// of transport/route read it; where something is missing they stop, and `wanted` says what to ask.
// Their driver (transport/queue/categorize) asks the Directory, puts the answer in and calls the
// step again. Belongs to one message, or to one RCPT.
#pragma once

#include "transport/org/mail_recipient.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mailflow {

// As MailRecipientPtr of the directory port.
using RecipientPtr = std::shared_ptr<const MailRecipient>;

// Members of a group that are asked for at once.
constexpr std::size_t kMembersPage = 500;

// A question to the directory, as a value.
struct DirectoryLookup {
    enum class Kind : std::uint8_t {
        address,     // find_recipient(*address)
        name,        // find_by_name(name)
        members,     // members(name, other, kMembersPage)
        membership,  // is_member(name, other)
    };
    Kind kind = Kind::address;
    std::optional<EmailAddress> address{};
    std::string name{};
    std::string other{};
};

class DirectoryFacts {
  public:
    // Null: not known yet. A null RecipientPtr: the directory has nobody.
    [[nodiscard]] const RecipientPtr* find(const EmailAddress& address);
    [[nodiscard]] const RecipientPtr* find_by_name(std::string_view name);
    // None: not known yet.
    [[nodiscard]] std::optional<bool> is_member(
        const std::string& group, const std::string& recipient);
    // The page behind `after`, kept for nobody else; none: not known yet.
    [[nodiscard]] std::optional<std::vector<RecipientPtr>> take_members(
        const std::string& group, const std::string& after);

    // What is to be asked next; none: nothing was missing.
    [[nodiscard]] const std::optional<DirectoryLookup>& wanted() const noexcept { return wanted_; }

    // Answers to what was wanted, by its kind.
    void answer(RecipientPtr recipient);
    void answer(std::vector<RecipientPtr> members);
    void answer(bool is_member);

  private:
    void want(DirectoryLookup lookup) { wanted_ = std::move(lookup); }

    std::unordered_map<std::string, RecipientPtr> by_address_;  // by lookup key
    std::unordered_map<std::string, RecipientPtr> by_name_;     // in lower case
    std::unordered_map<std::string, bool> memberships_;         // group|recipient, in lower case
    std::optional<std::vector<RecipientPtr>> members_;
    std::optional<DirectoryLookup> wanted_;
};

}  // namespace mailflow
