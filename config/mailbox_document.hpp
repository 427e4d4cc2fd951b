// A mailbox as people write it (a document of the schema) and as the recipient store keeps it.
// Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/mail_recipient.hpp"
#include "transport/org/organization.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <vector>

namespace mailflow {

struct CheckedMailbox {
    MailRecipient mailbox;  // of the stored one: its verifier, unless the password goes
    // The one that was given: to be made a verifier of, then forgotten.
    std::optional<std::string> password;
    std::vector<schema::Problem> problems;

    [[nodiscard]] bool ok() const noexcept { return problems.empty(); }
};

// A new mailbox. Without an alias the name is the alias; without addresses, and without a UPN, it
// gets alias@default domain. Whether the mailboxes of `send_as` exist is the caller's to know.
[[nodiscard]] CheckedMailbox make_mailbox(
    const std::string& name, const boost::json::object& fields, const Organization& organization);

// A stored one with some fields changed. An address added with `SMTP:` becomes the primary one.
// An empty `upn` goes back to alias@default domain; `password` null removes the password.
[[nodiscard]] CheckedMailbox edit_mailbox(
    const MailRecipient& current,
    const std::string& name,
    const boost::json::object& edit,
    const Organization& organization);

// Its fields, without the name and without anything about the password.
[[nodiscard]] boost::json::object mailbox_document(const MailRecipient& mailbox);

}  // namespace mailflow
