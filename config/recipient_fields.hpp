// The fields of recipients one by one: how each is read from a normalised document into the record
// and written back. One table for mailboxes, contacts and groups; what needs rules of its own
// (addresses, UPN, password, members) is recipient_document's. Pure.
#pragma once

#include "config/schema/object_type.hpp"
#include "transport/org/mail_recipient.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

[[nodiscard]] const schema::ObjectType& type_of(RecipientKind kind);
// Of `mailbox`, `contact`, `group`.
[[nodiscard]] std::optional<RecipientKind> kind_of(std::string_view type);
// `group "Sales"`
[[nodiscard]] std::string title_of(RecipientKind kind, std::string_view name);

// The fields of the table; the document is one of the recipient's kind and normalised.
void read_recipient_fields(const boost::json::object& document, MailRecipient& recipient);

// All fields of its kind in the schema's order, without the name, a password and members.
[[nodiscard]] boost::json::object recipient_document(const MailRecipient& recipient);

}  // namespace mailflow
