// A mailbox as people write it (a document of the schema) and as the recipient store keeps it.
// Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/mail_recipient.hpp"
#include "transport/org/organization.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace mailflow {

struct CheckedMailbox {
    MailRecipient mailbox;
    std::vector<schema::Problem> problems;

    [[nodiscard]] bool ok() const noexcept { return problems.empty(); }
};

// A new mailbox. Without an alias the name is the alias; without addresses it gets alias@default
// domain.
[[nodiscard]] CheckedMailbox make_mailbox(
    const std::string& name, const boost::json::object& fields, const Organization& organization);

// A stored one with some fields changed. An address added with `SMTP:` becomes the primary one.
[[nodiscard]] CheckedMailbox edit_mailbox(
    const MailRecipient& current,
    const std::string& name,
    const boost::json::object& edit,
    const Organization& organization);

// Its fields, without the name.
[[nodiscard]] boost::json::object mailbox_document(const MailRecipient& mailbox);

}  // namespace mailflow
