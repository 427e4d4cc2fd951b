#include "transport/route/recipient_resolver.hpp"

#include "transport/base/ascii.hpp"

#include <string_view>
#include <utility>

namespace mailflow {

namespace {

EmailAddress default_postmaster(const Organization& organization) {
    return EmailAddress::of("postmaster", organization.default_domain().domain);
}

// Null for address literals and for domains that are not ours.
const AcceptedDomain* accepted_domain_of(
    const EmailAddress& address, const Organization& organization) {
    return address.domain() ? organization.find_accepted_domain(*address.domain()) : nullptr;
}

// RFC 5321 §4.5.1 and RFC 2142 §4: mailboxes that every domain has.
bool is_role_name(std::string_view local) {
    return ascii::equal_ignoring_case(local, "postmaster") ||
           ascii::equal_ignoring_case(local, "abuse");
}

// bob+lists@ without its subaddress; none when it has none.
std::optional<EmailAddress> without_subaddress(
    const EmailAddress& address, const AcceptedDomain& domain) {
    if (domain.recipient_delimiter.empty()) {
        return std::nullopt;
    }
    const auto end = address.local().find_first_of(domain.recipient_delimiter);
    if (end == std::string::npos || end == 0) {
        return std::nullopt;
    }
    return EmailAddress::of(address.local().substr(0, end), *address.domain());
}

ResolvedKind kind_of(const MailRecipient& recipient) noexcept {
    switch (recipient.kind) {
        case RecipientKind::mailbox: break;
        case RecipientKind::contact: return ResolvedKind::contact;
        case RecipientKind::group: return ResolvedKind::group;
    }
    return ResolvedKind::mailbox;
}

// What the path stands for before the directory is asked.
ResolvedRecipient mapped(
    const ForwardPath& path,
    const Organization& organization,
    const AddressTools* tools,
    UtcTime now) {
    // RFC 5321 §4.5.1: the bare postmaster is the default domain's.
    ResolvedRecipient resolved{
        .address = path.is_bare_postmaster() ? default_postmaster(organization) : path.address()};
    if (tools == nullptr) {
        return resolved;
    }
    if (!tools->rewriter().empty()) {
        if (auto inbound = tools->rewriter().inbound(resolved.address)) {
            resolved.address = std::move(inbound->address);
            resolved.rewrite = inbound->by;
        }
    }
    if (tools->srs() != nullptr && Srs::is_srs(resolved.address.local()) &&
        accepted_domain_of(resolved.address, organization) != nullptr) {
        // One that we did not make, or long ago, is looked up as any other, and found by nobody.
        auto sender = tools->srs()->reverse(resolved.address, now);
        if (sender) {
            resolved.address = std::move(*sender);
            resolved.is_srs = true;
        }
    }
    return resolved;
}

// Asks in order of closeness. True: `found` and `by` say who it is, or that nobody is.
class Search {
  public:
    Search(const EmailAddress& address, const Organization& organization, DirectoryFacts& facts)
        : address_(address)
        , organization_(organization)
        , facts_(facts) {}

    [[nodiscard]] bool run(const AcceptedDomain& domain, bool is_role) {
        const bool has_recipients = domain.type != AcceptedDomainType::external_relay;
        // An external relay domain has no recipients here; only its roles may fall to us.
        if (has_recipients || is_role) {
            if (!ask(facts_.find(address_), ResolvedBy::address)) return false;
        }
        if (found == nullptr && has_recipients) {
            const auto base = without_subaddress(address_, domain);
            if (base && !ask(facts_.find(*base), ResolvedBy::subaddress)) return false;
        }
        if (found == nullptr && is_role) {
            const auto fallback = default_postmaster(organization_);
            if (!ask(facts_.find(fallback), ResolvedBy::role)) return false;
        }
        if (found == nullptr && has_recipients && !domain.catch_all.empty()) {
            return ask(facts_.find_by_name(domain.catch_all), ResolvedBy::catch_all);
        }
        return true;
    }

    RecipientPtr found;
    ResolvedBy by = ResolvedBy::address;

  private:
    [[nodiscard]] bool ask(const RecipientPtr* answer, ResolvedBy how) {
        if (answer != nullptr) {
            found = *answer;
            by = how;
        }
        return answer != nullptr;
    }

    const EmailAddress& address_;
    const Organization& organization_;
    DirectoryFacts& facts_;
};

}  // namespace

const char* to_text(ResolvedKind kind) noexcept {
    switch (kind) {
        case ResolvedKind::mailbox: return "mailbox";
        case ResolvedKind::contact: return "contact";
        case ResolvedKind::group: return "group";
        case ResolvedKind::relay: return "relayed";
        case ResolvedKind::external: return "external";
        case ResolvedKind::unknown: return "not found";
    }
    return "";
}

AddressTools::AddressTools(OrganizationPtr organization, Srs::Mac mac)
    : organization_(std::move(organization))
    , rewriter_(organization_->address_rewrites()) {
    if (mac) {
        srs_.emplace(std::move(mac), organization_->default_domain().domain);
    }
}

std::optional<ResolvedRecipient> resolve_recipient(
    const ForwardPath& path,
    const Organization& organization,
    const AddressTools* tools,
    UtcTime now,
    DirectoryFacts& facts) {
    auto resolved = mapped(path, organization, tools, now);
    const auto* const domain = accepted_domain_of(resolved.address, organization);
    if (domain == nullptr) {
        // A way back that we made ourselves needs no right to relay.
        resolved.kind = resolved.is_srs ? ResolvedKind::relay : ResolvedKind::external;
        return resolved;
    }
    resolved.is_role = is_role_name(resolved.address.local());
    Search search(resolved.address, organization, facts);
    if (!search.run(*domain, resolved.is_role)) {
        return std::nullopt;
    }
    if (search.found == nullptr) {
        const bool must_be_here = domain->type == AcceptedDomainType::authoritative;
        resolved.kind = must_be_here ? ResolvedKind::unknown : ResolvedKind::relay;
        return resolved;
    }
    resolved.recipient = std::move(search.found);
    resolved.by = search.by;
    resolved.kind = kind_of(*resolved.recipient);
    resolved.address = resolved.recipient->primary();
    resolved.mailbox = resolved.recipient->name;
    return resolved;
}

}  // namespace mailflow
