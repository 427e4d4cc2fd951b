#include "transport/org/organization.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <stdexcept>

namespace mailflow {

Organization::Organization(Parts parts)
    : parts_(std::move(parts)) {
    for (std::size_t i = 0; i < parts_.accepted_domains.size(); ++i) {
        const auto& entry = parts_.accepted_domains[i];
        auto& index = entry.include_subdomains ? wildcard_domains_ : exact_domains_;
        index.emplace(entry.domain.text(), i);
    }
}

const AcceptedDomain* Organization::find_accepted_domain(const DomainName& domain) const noexcept {
    if (const auto exact = exact_domains_.find(domain.text()); exact != exact_domains_.end()) {
        return &parts_.accepted_domains[exact->second];
    }
    // From the whole name upwards, so the longest `*.` entry is met first.
    std::string_view suffix = domain.text();
    while (!wildcard_domains_.empty() && !suffix.empty()) {
        if (const auto found = wildcard_domains_.find(std::string(suffix));
            found != wildcard_domains_.end()) {
            return &parts_.accepted_domains[found->second];
        }
        const auto dot = suffix.find('.');
        suffix = dot == std::string_view::npos ? std::string_view() : suffix.substr(dot + 1);
    }
    return nullptr;
}

const RemoteDomain& Organization::find_remote_domain(const DomainName& domain) const noexcept {
    static const RemoteDomain kBuiltIn{.name = "Default", .domain = std::nullopt};
    const RemoteDomain* best = &kBuiltIn;
    const auto length = [](const RemoteDomain& entry) {
        return entry.domain ? entry.domain->text().size() : 0;
    };
    for (const auto& entry : parts_.remote_domains) {
        const bool matches = !entry.domain || *entry.domain == domain ||
                             (entry.include_subdomains && domain.is_within(*entry.domain));
        // `contoso.com` before `*.contoso.com` for the domain itself.
        const bool closer = length(entry) > length(*best) || best == &kBuiltIn ||
                            (length(entry) == length(*best) && !entry.include_subdomains);
        if (matches && closer) {
            best = &entry;
        }
    }
    return *best;
}

const AcceptedDomain& Organization::default_domain() const {
    const auto& domains = parts_.accepted_domains;
    const auto marked =
        std::find_if(domains.begin(), domains.end(), [](const AcceptedDomain& domain) {
            return domain.is_default;
        });
    if (marked == domains.end()) {
        throw std::logic_error("the organization has no default accepted domain");
    }
    return *marked;
}

const std::string* Organization::find_site(std::string_view fqdn) const noexcept {
    if (ascii::equal_ignoring_case(fqdn, parts_.node.fqdn)) {
        return &parts_.node.site;
    }
    for (const auto& node : parts_.nodes) {
        if (ascii::equal_ignoring_case(fqdn, node.fqdn)) {
            return &node.site;
        }
    }
    return nullptr;
}

const SendConnector* Organization::find_send_connector(std::string_view name) const noexcept {
    for (const auto& connector : parts_.send_connectors) {
        if (ascii::equal_ignoring_case(connector.name, name)) {
            return &connector;
        }
    }
    return nullptr;
}

}  // namespace mailflow
