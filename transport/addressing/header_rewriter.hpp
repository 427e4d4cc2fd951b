// Replaces addresses inside header fields and leaves every other octet as it is: display names,
// comments, groups, folds, quoted strings, encoded words (reference 4.8, table of fields). Pure.
#pragma once

#include "transport/mail/content.hpp"
#include "transport/mail/header_scanner.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// What an address becomes; nothing: it stays.
using AddressMap = std::function<std::optional<EmailAddress>(const EmailAddress&)>;

// From, Sender, Reply-To, Return-Receipt-To, Disposition-Notification-To, Resent-From,
// Resent-Sender; with `recipients` To and Cc too.
[[nodiscard]] FieldKinds rewritable_fields(bool recipients) noexcept;

struct HeaderRewrite {
    std::vector<HeaderEdit> edits;  // `before` and the new ones, as Content wants them

    struct Change {
        std::string field;  // `From`
        EmailAddress from;
        EmailAddress to;
    };

    std::vector<Change> changes;  // empty: nothing was rewritten
};

// `header`: scanned with the texts of rewritable_fields. `before`: edits that were decided for the
// same header (submission duties); a field that they replace as a whole is rewritten in their text.
// A new address that needs SMTPUTF8 is not put into a header that has none.
[[nodiscard]] HeaderRewrite rewrite_header(
    const ScannedHeader& header,
    std::vector<HeaderEdit> before,
    const AddressMap& senders,
    const AddressMap& recipients);

}  // namespace mailflow
