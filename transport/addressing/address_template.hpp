// Templates of addresses (reference 4.2): `%g.%s@contoso.com` and a recipient's properties make a
// local part. Pure.
#pragma once

#include "transport/base/result.hpp"
#include "transport/mail/domain_name.hpp"
#include "transport/org/mail_recipient.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

class AddressTemplate {
  public:
    // `[local template]@domain`, without `SMTP:`; an empty local part is `%m`. Error::syntax, and
    // then `*why` (may be null) says in words what is wrong and where.
    [[nodiscard]] static Result<AddressTemplate> parse(std::string_view text, std::string* why);

    // Canonical: domain as A-labels.
    [[nodiscard]] std::string text() const;

    [[nodiscard]] const DomainName& domain() const noexcept { return domain_; }

    // What the template makes of this recipient: letters outside ASCII mapped where there is a
    // usual spelling (`ö` to `oe`), what no dot-string may hold dropped, dots only between other
    // characters, at most 64 octets; the alias when nothing legal is left.
    [[nodiscard]] EmailAddress expand(const MailRecipient& recipient) const;

  private:
    // A literal, or a token with its count and its replacements.
    struct Part {
        char token = 0;            // m g s i d; 0: `literal`
        std::uint32_t count = 0;   // first letters; 0: all
        std::string replacements;  // pairs `xy`: x by y; `xx`: x is removed
        std::string literal;
    };

    AddressTemplate(std::vector<Part> parts, DomainName domain)
        : parts_(std::move(parts))
        , domain_(std::move(domain)) {}

    std::vector<Part> parts_;
    DomainName domain_;
};

// `address` with a number in front of the `@`: bob@ → bob2@ for 2 (reference 4.6), the local part
// cut so that it keeps to 64 octets. 1 is the address itself.
[[nodiscard]] EmailAddress numbered(const EmailAddress& address, std::uint32_t number);

}  // namespace mailflow
