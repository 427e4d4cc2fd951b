#include "transport/addressing/list_filter.hpp"

namespace mailflow {

Result<ListFilter> ListFilter::parse(std::string_view text, std::string* why) {
    auto root = parse_filter(text, FilterSyntax::list, why);
    if (!root) {
        return root.error();
    }
    return ListFilter(std::move(*root));
}

bool ListFilter::matches(const MailRecipient& recipient) const {
    return mailflow::matches(*root_, recipient);
}

}  // namespace mailflow
