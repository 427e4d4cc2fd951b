// Who our recipients are, as the flow asks it. One per lane, used on it; a bounded cache, positive
// and negative, answers most questions without leaving the lane.
#pragma once

#include "transport/base/result.hpp"
#include "transport/base/task.hpp"
#include "transport/org/mail_recipient.hpp"

#include <memory>
#include <optional>
#include <string>

namespace mailflow {

using MailRecipientPtr = std::shared_ptr<const MailRecipient>;

class Directory {
  public:
    virtual ~Directory() = default;
    // By any of its addresses, local part and domain without case. Null: not ours.
    // Error::unavailable: ask again later.
    virtual Task<Result<MailRecipientPtr>> find_recipient(EmailAddress address) = 0;
    // Whose login this is: the UPN, any of the addresses, the alias, or `DOMAIN\alias` (DOMAIN is
    // the first label of one of the domains of the mailbox's addresses, and the alias may also be
    // the local part of an address there), all without case. Null: nobody's, or of two mailboxes
    // that fit. Not cached negatively. Error::unavailable as above.
    virtual Task<Result<MailRecipientPtr>> find_login(std::string login) = 0;
};

}  // namespace mailflow
