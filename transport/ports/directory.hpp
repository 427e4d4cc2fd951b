// Who our recipients are, as the flow asks it. One per lane, used on it; a bounded cache, positive
// and negative, answers most questions without leaving the lane.
#pragma once

#include "transport/base/error.hpp"
#include "transport/base/result.hpp"
#include "transport/base/task.hpp"
#include "transport/org/mail_recipient.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

using MailRecipientPtr = std::shared_ptr<const MailRecipient>;

class Directory {
  public:
    virtual ~Directory() = default;
    // By any of its addresses, local part and domain without case. Null: not ours.
    // Error::unavailable: ask again later.
    virtual Task<Result<MailRecipientPtr>> find_recipient(EmailAddress address) = 0;
    // Whose login (a mailbox's) this is: the UPN, any of the addresses, the alias, or
    // `DOMAIN\alias` (DOMAIN is the first label of one of the domains of the mailbox's addresses,
    // and the alias may also be the local part of an address there), all without case. Null:
    // nobody's, or of two mailboxes that fit. Not cached negatively. Error::unavailable as above.
    virtual Task<Result<MailRecipientPtr>> find_login(std::string login) = 0;

    // By name (never alias), without case; null: there is none. Cached as find_recipient.
    virtual Task<Result<MailRecipientPtr>> find_by_name(std::string name) = 0;
    // A group's direct members, by name, `after` exclusive and empty at first; fewer than `limit`
    // means there are no more. A name that is no group has none.
    virtual Task<Result<std::vector<MailRecipientPtr>>> members(
        std::string group, std::string after, std::size_t limit) = 0;
    // Whether `recipient` is in `group`, directly or through at most kMaxGroupDepth groups in it
    // (circles are harmless). Names, without case.
    virtual Task<Result<bool>> is_member(std::string group, std::string recipient) = 0;
};

}  // namespace mailflow
