// Mailboxes in the organization store: own rows, one transaction and version with the objects,
// never in the Organization snapshot. Called from the console lane.
#pragma once

#include "transport/base/result.hpp"
#include "transport/base/task.hpp"
#include "transport/org/mail_recipient.hpp"
#include "transport/ports/records/object_record.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

class RecipientStore {
  public:
    virtual ~RecipientStore() = default;
    // By name, else by alias; without case.
    virtual Task<Result<std::optional<MailRecipient>>> find(std::string name) = 0;
    virtual Task<Result<std::optional<MailRecipient>>> find_by_address(EmailAddress address) = 0;
    // By login name alone; without case.
    virtual Task<Result<std::optional<MailRecipient>>> find_by_upn(std::string upn) = 0;
    // By name without case, `after` exclusive.
    virtual Task<Result<std::vector<MailRecipient>>> page(std::string after, std::size_t limit) = 0;
    // How many recipients have an address in this domain (accepted domains in use cannot go).
    virtual Task<Result<std::uint64_t>> count_in_domain(DomainName domain) = 0;
    // The domains recipients have addresses in, as A-labels, in order; `after` exclusive.
    virtual Task<Result<std::vector<std::string>>> domains(
        std::string after, std::size_t limit) = 0;
    // Error::already_exists when the name, the alias, the UPN or one of the addresses is taken (by
    // another). Without a UPN it gets the primary address as one. `send_as` holds names of stored
    // recipients, else Error::not_found; a name there follows its recipient: it changes when that
    // one is renamed and vanishes when it is removed.
    virtual Task<Result<>> create(MailRecipient recipient, ChangeAuthor author) = 0;
    // Error::not_found, or as `create`. A new name renames.
    virtual Task<Result<>> replace(
        std::string name, MailRecipient recipient, ChangeAuthor author) = 0;
    // Error::not_found.
    virtual Task<Result<>> remove(std::string name, ChangeAuthor author) = 0;
};

}  // namespace mailflow
