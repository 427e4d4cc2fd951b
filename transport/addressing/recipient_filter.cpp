#include "transport/addressing/recipient_filter.hpp"

namespace mailflow {

Result<RecipientFilter> RecipientFilter::parse(std::string_view text, std::string* why) {
    auto root = parse_filter(text, FilterSyntax::opath, why);
    if (!root) {
        return root.error();
    }
    return RecipientFilter(std::move(*root));
}

bool RecipientFilter::matches(const MailRecipient& recipient) const {
    return mailflow::matches(*root_, recipient);
}

}  // namespace mailflow
