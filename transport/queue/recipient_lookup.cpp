#include "transport/queue/recipient_lookup.hpp"

namespace mailflow {

Task<Result<ResolvedRecipient>> look_up_recipient(
    Directory& directory, OrganizationPtr organization, ForwardPath path) {
    MailRecipientPtr recipient;
    const auto addresses = lookup_addresses(path, *organization);
    for (const auto& address : addresses) {
        auto found = co_await directory.find_recipient(address);
        if (!found) {
            co_return found.error();
        }
        if (*found != nullptr) {
            recipient = *found;
            break;
        }
    }
    co_return resolve_recipient(path, *organization, recipient.get());
}

}  // namespace mailflow
