// Which recipients an address policy is for: a precanned filter, or an expression
// `Department -eq 'Sales' -and -not (Alias -like 'test*')` (reference 4.7). Pure. Names of
// properties are taken as Exchange writes them (`CustomAttribute3`, `StateOrProvince`) and as ours
// (`custom_attribute_3`), in any case. Comparisons ignore case.
#pragma once

#include "transport/base/result.hpp"
#include "transport/org/address_policy.hpp"
#include "transport/org/mail_recipient.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace mailflow {

class RecipientFilter {
  public:
    // Error::syntax, and then `*why` (may be null) says what is wrong and at which character.
    // Nesting and length are limited (Error::too_large).
    [[nodiscard]] static Result<RecipientFilter> parse(std::string_view text, std::string* why);

    [[nodiscard]] bool matches(const MailRecipient& recipient) const;

    struct Node;

  private:
    explicit RecipientFilter(std::shared_ptr<const Node> root)
        : root_(std::move(root)) {}

    std::shared_ptr<const Node> root_;
};

}  // namespace mailflow
