// Replaces addresses inside header fields and leaves every other octet as it is: display names,
// comments, groups, folds, quoted strings, encoded words (reference 4.8, table of fields). A
// comment between local part and domain stays too. The one thing that is added: a fold before an
// address that would make its line longer than 998 octets. Pure; used where mail comes in and where
// it leaves.
#pragma once

#include "transport/mail/content.hpp"
#include "transport/mail/email_address.hpp"
#include "transport/mail/header_scanner.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// Addresses of one header that are looked at.
constexpr std::size_t kMaxRewrittenAddresses = 10'240;

// What an address becomes; nothing: it stays.
using AddressMap = std::function<std::optional<EmailAddress>(const EmailAddress&)>;

// From, Sender, Reply-To, Return-Receipt-To, Disposition-Notification-To, Resent-From,
// Resent-Sender; with `recipients` To and Cc too.
[[nodiscard]] FieldKinds rewritable_fields(bool recipients) noexcept;

struct HeaderRewrite {
    std::vector<HeaderEdit> edits;  // `before` and the new ones, as Content wants them

    struct Change {
        std::string field;  // `From`, as the message writes it
        EmailAddress from;
        EmailAddress to;
    };

    std::vector<Change> changes;  // empty: nothing was rewritten
};

// `header`: scanned with places and texts of rewritable_fields. `before`: edits that were decided
// for the same header (submission duties), by offset; a field that they change is rewritten in the
// text they give it, one that they leave out is left out. An empty map rewrites nothing of its
// fields. A new address that needs SMTPUTF8 is not put into a header that has none (RFC 6532).
[[nodiscard]] HeaderRewrite rewrite_header(
    const ScannedHeader& header,
    std::vector<HeaderEdit> before,
    const AddressMap& senders,
    const AddressMap& recipients);

// Complete fields that we add in front of a header (Content::prefix).
struct FieldsRewrite {
    std::string text;
    std::vector<HeaderRewrite::Change> changes;
};

// `smtputf8`: what ScannedHeader says of the header they stand before.
[[nodiscard]] FieldsRewrite rewrite_fields(
    std::string_view fields,
    bool smtputf8,
    const AddressMap& senders,
    const AddressMap& recipients);

}  // namespace mailflow
