#include "transport/route/recipient_resolver.hpp"

#include "transport/base/ascii.hpp"

#include <string_view>
#include <utility>

namespace mailflow {

namespace {

EmailAddress default_postmaster(const Organization& organization) {
    return EmailAddress::of("postmaster", organization.default_domain().domain);
}

// What the path stands for: the bare postmaster is the default domain's.
EmailAddress address_of(const ForwardPath& path, const Organization& organization) {
    return path.is_bare_postmaster() ? default_postmaster(organization) : path.address();
}

// Null for address literals and for domains that are not ours.
const AcceptedDomain* accepted_domain_of(
    const EmailAddress& address, const Organization& organization) {
    return address.domain() ? organization.find_accepted_domain(*address.domain()) : nullptr;
}

// RFC 5321 §4.5.1 and RFC 2142 §4: mailboxes that every domain has.
bool is_role(std::string_view local) {
    return ascii::equal_ignoring_case(local, "postmaster") ||
           ascii::equal_ignoring_case(local, "abuse");
}

}  // namespace

std::vector<EmailAddress> lookup_addresses(
    const ForwardPath& path, const Organization& organization) {
    const auto address = address_of(path, organization);
    const auto* domain = accepted_domain_of(address, organization);
    std::vector<EmailAddress> addresses;
    if (domain == nullptr) {
        return addresses;
    }
    // An external relay domain has no recipients here; only its roles may fall to us.
    const bool role = is_role(address.local());
    if (role || domain->type != AcceptedDomainType::external_relay) {
        addresses.push_back(address);
    }
    if (role) {
        auto fallback = default_postmaster(organization);
        if (fallback.lookup_key() != address.lookup_key()) {
            addresses.push_back(std::move(fallback));
        }
    }
    return addresses;
}

ResolvedRecipient resolve_recipient(
    const ForwardPath& path, const Organization& organization, const MailRecipient* found) {
    if (found != nullptr) {
        return {ResolvedKind::mailbox, found->primary(), found->name};
    }
    auto address = address_of(path, organization);
    const auto* domain = accepted_domain_of(address, organization);
    if (domain == nullptr) {
        return {ResolvedKind::external, std::move(address), {}};
    }
    const auto kind = domain->type == AcceptedDomainType::authoritative ? ResolvedKind::unknown
                                                                        : ResolvedKind::relay;
    return {kind, std::move(address), {}};
}

}  // namespace mailflow
