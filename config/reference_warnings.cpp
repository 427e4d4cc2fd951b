#include "config/reference_warnings.hpp"

#include "config/domain_rules.hpp"
#include "config/field_syntax.hpp"

#include <algorithm>
#include <optional>

namespace mailflow {

namespace {

using Warnings = std::vector<std::string>;

bool had_catch_all(const Organization* before, const AcceptedDomain& domain) {
    if (before == nullptr) return false;
    const auto& domains = before->accepted_domains();
    return std::any_of(domains.begin(), domains.end(), [&domain](const AcceptedDomain& other) {
        return other.name == domain.name && other.catch_all == domain.catch_all;
    });
}

bool had_rewrite(const Organization* before, const AddressRewrite& entry) {
    if (before == nullptr) return false;
    const auto& entries = before->address_rewrites();
    return std::any_of(entries.begin(), entries.end(), [&entry](const AddressRewrite& other) {
        return other.name == entry.name && other.outbound_only == entry.outbound_only &&
               to_text(other.external) == to_text(entry.external);
    });
}

Task<bool> is_recipient(RecipientStore& recipients, std::string name) {
    const auto found = co_await recipients.find(name);
    bool there = found && *found;
    const auto address = EmailAddress::parse(name);
    if (!there && address) {
        const auto by_address = co_await recipients.find_by_address(*address);
        there = by_address && *by_address;
    }
    co_return there;
}

Task<void> warn_of_catch_all(
    RecipientStore& recipients,
    const Organization* before,
    const AcceptedDomain& domain,
    Warnings& warnings) {
    if (domain.catch_all.empty() || had_catch_all(before, domain)) {
        co_return;
    }
    const bool there = co_await is_recipient(recipients, domain.catch_all);
    if (!there) {
        warnings.push_back(
            title_of(domain) + ", catch_all: nobody is \"" + domain.catch_all +
            "\", so unknown recipients are treated as without it; create that recipient, with "
            "smtpctl mailbox create \"" +
            domain.catch_all + "\"");
    }
}

// Reference 4.8, proxy requirement.
Task<void> warn_of_rewrite(
    RecipientStore& recipients,
    const Organization* before,
    const AddressRewrite& entry,
    Warnings& warnings) {
    if (!entry.outbound_only || had_rewrite(before, entry)) {
        co_return;
    }
    const auto title = "address-rewrite \"" + entry.name + "\", external: ";
    if (entry.external.address) {
        const auto found = co_await recipients.find_by_address(*entry.external.address);
        if (found && !*found) {
            warnings.push_back(
                title + entry.external.address->text() +
                " is nobody's address, so answers to rewritten mail will be refused; add it, with "
                "smtpctl mailbox set NAME --add-address smtp:" +
                entry.external.address->text());
        }
        co_return;
    }
    const auto& domain = entry.external.domain.value();
    const auto count = co_await recipients.count_in_domain(domain);
    if (count && *count == 0) {
        warnings.push_back(
            title + "nobody has an address in " + domain.text() +
            ", so answers to rewritten mail will be refused; give the senders such addresses, "
            "with a template smtp:%m@" +
            domain.text() + " of their address policy");
    }
}

// An address of ours that a setting names and nobody has.
Task<void> warn_of_setting(
    RecipientStore& recipients,
    const Organization& next,
    const char* field,
    std::optional<EmailAddress> former,
    std::optional<EmailAddress> address,
    Warnings& warnings) {
    if (!address || address == former) {
        co_return;
    }
    const auto* domain = next.find_accepted_domain(address->domain().value());
    if (domain == nullptr || domain->type != AcceptedDomainType::authoritative) {
        co_return;
    }
    const auto found = co_await recipients.find_by_address(*address);
    if (found && !*found) {
        warnings.push_back(
            std::string("transport-config, ") + field + ": " + address->text() +
            " is in an accepted domain and nobody has it; give it to a mailbox, with smtpctl "
            "mailbox set NAME --add-address smtp:" +
            address->text());
    }
}

}  // namespace

Task<Warnings> find_missing_recipients(
    RecipientStore& recipients, const Organization* before, const Organization& next) {
    Warnings warnings;
    for (const auto& domain : next.accepted_domains()) {
        co_await warn_of_catch_all(recipients, before, domain, warnings);
    }
    for (const auto& entry : next.address_rewrites()) {
        co_await warn_of_rewrite(recipients, before, entry, warnings);
    }
    const TransportSettings none;
    const auto& former = before == nullptr ? none : before->transport();
    const auto& settings = next.transport();
    co_await warn_of_setting(
        recipients, next, "always_bcc", former.always_bcc, settings.always_bcc, warnings);
    co_await warn_of_setting(
        recipients,
        next,
        "external_postmaster_address",
        former.external_postmaster_address,
        settings.external_postmaster_address,
        warnings);
    co_return warnings;
}

}  // namespace mailflow
