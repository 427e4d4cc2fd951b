// RFC 5321 §4.1.2 Mailbox: local part and domain or address literal. The local part is kept without
// needless quotes
// (`"alice"@d` equals `alice@d`) and compared exactly; the domain ignores case. UTF-8 local parts
// per RFC 6531 §3.3.
#pragma once

#include "transport/base/ip_address.hpp"
#include "transport/mail/domain_name.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

class EmailAddress {
  public:
    // The whole text must be one Mailbox. Local part ≤ 64 octets (RFC 5321 §4.5.3.1.1), domain ≤
    // 255.
    [[nodiscard]] static Result<EmailAddress> parse(std::string_view text);
    [[nodiscard]] static EmailAddress of(std::string local, DomainName domain);

    // Unquoted value, e.g. `a b` for `"a b"@d`.
    [[nodiscard]] const std::string& local() const noexcept { return local_; }

    // A-labels, or the literal with brackets.
    [[nodiscard]] const std::string& domain_text() const noexcept { return domain_text_; }

    // Nothing when the domain is an address literal.
    [[nodiscard]] const std::optional<DomainName>& domain() const noexcept { return domain_; }

    [[nodiscard]] const std::optional<IpAddress>& literal() const noexcept { return literal_; }

    // As on the wire, the local part quoted where it must be.
    [[nodiscard]] std::string text() const;
    // The local part holds octets over 127: needs SMTPUTF8 (RFC 6531).
    [[nodiscard]] bool needs_smtputf8() const noexcept;
    // For look-ups of our own recipients, whose local parts ignore case: the whole text in lower
    // case.
    [[nodiscard]] std::string lookup_key() const;

    friend bool operator==(const EmailAddress& a, const EmailAddress& b) noexcept {
        return a.local_ == b.local_ && a.domain_text_ == b.domain_text_;
    }

  private:
    EmailAddress() = default;
    std::string local_;
    std::string domain_text_;
    std::optional<DomainName> domain_;
    std::optional<IpAddress> literal_;
};

}  // namespace mailflow
