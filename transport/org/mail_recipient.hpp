// One of our recipients as the directory knows it. This issue of the product has mailboxes;
// contacts and groups use the same record.
#pragma once

#include "transport/mail/email_address.hpp"
#include "transport/org/scram_verifier.hpp"

#include <optional>
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
    // Login name, `local@domain`; unique without case. Never empty once stored.
    std::string upn;
    // None: nobody can log in as this recipient.
    std::optional<ScramVerifier> verifier;
    // Names of other mailboxes whose owners may send as this one.
    std::vector<std::string> send_as;

    [[nodiscard]] const EmailAddress& primary() const { return addresses.front(); }
};

}  // namespace mailflow
