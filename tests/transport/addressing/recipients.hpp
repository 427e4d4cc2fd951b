// Recipients for tests of addressing.
#pragma once

#include "transport/org/mail_recipient.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace mailflow {

inline EmailAddress address(std::string_view text) {
    return EmailAddress::parse(text).value();
}

inline DomainName domain(std::string_view text) {
    return DomainName::parse(text).value();
}

// David Pelton, alias david, of Sales; a mailbox with david@corp.contoso.com.
inline MailRecipient david() {
    MailRecipient recipient;
    recipient.name = "David Pelton";
    recipient.alias = "david";
    recipient.first_name = "David";
    recipient.last_name = "Pelton";
    recipient.initials = "Q";
    recipient.display_name = "David Q. Pelton";
    recipient.addresses = {address("david@corp.contoso.com")};
    recipient.upn = "david@corp.contoso.com";
    recipient.attributes = {
        {"department", "Sales"}, {"custom_attribute_3", "12"}, {"company", "Contoso"}};
    return recipient;
}

}  // namespace mailflow
