// One of our recipients as the directory knows it. This issue of the product has mailboxes;
// contacts and groups use the same record.
#pragma once

#include "transport/mail/email_address.hpp"

#include <string>
#include <vector>

namespace mailflow {

struct MailRecipient {
    std::string name;   // unique, ≤ 64 characters
    std::string alias;  // used in templates and as folder of the Maildir
    std::string first_name;
    std::string last_name;
    std::string display_name;
    // The first is the primary (`SMTP:`), the others are proxies (`smtp:`). Never empty.
    std::vector<EmailAddress> addresses;

    [[nodiscard]] const EmailAddress& primary() const { return addresses.front(); }
};

}  // namespace mailflow
