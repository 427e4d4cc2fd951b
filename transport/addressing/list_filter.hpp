// Which recipients a list shows: `upn != primary`, `department = Sales`, `alias ~ test and kind =
// mailbox` (--where of the list commands). Operators are = != ~ (contains) < >, and those of
// RecipientFilter; `and`, `or`, `not` and parentheses combine. An operand is one word, or text in
// single or double quotes; a bare word that names a property (upn, primary, alias …) is compared
// with that property of the same recipient. Pure; the grammar: filter_expression.hpp.
#pragma once

#include "transport/addressing/filter_expression.hpp"

namespace mailflow {

class ListFilter {
  public:
    // Error::syntax or Error::too_large, and then `*why` (may be null) says what is wrong and
    // where.
    [[nodiscard]] static Result<ListFilter> parse(std::string_view text, std::string* why);

    [[nodiscard]] bool matches(const MailRecipient& recipient) const;

  private:
    explicit ListFilter(FilterTree root)
        : root_(std::move(root)) {}

    FilterTree root_;
};

}  // namespace mailflow
