// Which recipients an address policy is for: an expression
// `Department -eq 'Sales' -and -not (Alias -like 'test*')` (reference 4.7). Pure. Names of
// properties are taken as Exchange writes them (`CustomAttribute3`, `StateOrProvince`) and as ours
// (`custom_attribute_3`), in any case. Comparisons ignore case. The grammar: filter_expression.hpp.
#pragma once

#include "transport/addressing/filter_expression.hpp"

namespace mailflow {

class RecipientFilter {
  public:
    // Error::syntax, and then `*why` (may be null) says what is wrong and at which character.
    // Nesting and length are limited (Error::too_large).
    [[nodiscard]] static Result<RecipientFilter> parse(std::string_view text, std::string* why);

    [[nodiscard]] bool matches(const MailRecipient& recipient) const;

  private:
    explicit RecipientFilter(FilterTree root)
        : root_(std::move(root)) {}

    FilterTree root_;
};

}  // namespace mailflow
