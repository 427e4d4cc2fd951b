// Templates of addresses (reference 4.2): `%g.%s@contoso.com` and a recipient's properties make a
// local part. Pure; used by address policies and by what checks them.
//
//   %m alias, %g first name, %s last name, %i initials, %d display name; %3s its first three
//   letters; %rxy in front of a token: x becomes y in it, %rxx: x is left out; %% a percent sign.
//
// What is kept of a property: what a dot-string may hold (RFC 5321 §4.1.2: letters, digits and
// !#$%&'*+-/=?^_`{|}~), in the case it has. Letters from U+00C0 to U+024F are spelled in ASCII
// (transliteration.hpp). Everything else is dropped: blanks, quotes, brackets, commas, `@`, other
// scripts; periods too, but those of the alias. Replacements are made before that, each character
// at most once; one whose new character would be dropped is ignored. First letters are counted
// among those that are kept, so that Ö counts as one and gives Oe.
#pragma once

#include "transport/base/result.hpp"
#include "transport/mail/domain_name.hpp"
#include "transport/org/mail_recipient.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// Octets of a template.
constexpr std::size_t kMaxTemplate = 512;

class AddressTemplate {
  public:
    // `[local template]@domain`, without `SMTP:`; an empty local part is `%m`. Error::syntax, and
    // then `*why` (may be null) says in words what is wrong and where.
    [[nodiscard]] static Result<AddressTemplate> parse(std::string_view text, std::string* why);

    // Canonical: domain as A-labels, `%m` written out.
    [[nodiscard]] std::string text() const;

    [[nodiscard]] const DomainName& domain() const noexcept { return domain_; }

    // What the template makes of this recipient by the rule above: dots only between other
    // characters, at most 64 octets. When nothing is left: the alias, then the name, by the same
    // rule, then `recipient`.
    [[nodiscard]] EmailAddress expand(const MailRecipient& recipient) const;

  private:
    friend class TemplateParser;

    // A literal, or a token with its count and its replacements.
    struct Part {
        char token = 0;            // m g s i d; 0: `literal`
        std::uint32_t count = 0;   // first letters; 0: all
        std::string replacements;  // pairs of characters `xy`: x by y; `xx`: x is left out
        std::string literal;
    };

    [[nodiscard]] static std::string value_of(const Part& part, const MailRecipient& recipient);

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
