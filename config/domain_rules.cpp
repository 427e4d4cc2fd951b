#include "config/domain_rules.hpp"

#include "config/object_title.hpp"
#include "transport/base/ascii.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace mailflow {

using schema::Problem;

namespace {

using Problems = std::vector<Problem>;

// Reference 3.2: an external-relay domain has no recipients here.
void check_relayed_fields(const AcceptedDomain& domain, Problems& problems) {
    if (domain.type != AcceptedDomainType::external_relay) {
        return;
    }
    const auto refuse = [&](const char* field) {
        problems.push_back(
            {title_of(domain),
             field,
             "has no meaning while type is external-relay, where all recipients are relayed: take "
             "it away, or set another type"});
    };
    if (!domain.catch_all.empty()) refuse("catch_all");
    if (!domain.recipient_delimiter.empty()) refuse("recipient_delimiter");
}

// Reference 3.3: exactly one domain is default at any time.
void check_default(const std::vector<AcceptedDomain>& domains, Problems& problems) {
    const auto defaults = std::count_if(
        domains.begin(), domains.end(), [](const auto& domain) { return domain.is_default; });
    if (defaults != 1) {
        problems.push_back(
            {"accepted-domain",
             "default",
             defaults == 0 ? "no accepted domain would be the default: make another one the "
                             "default first, with smtpctl accepted-domain set NAME --default true"
                           : "more than one accepted domain would be the default"});
    }
}

std::string to_text(const RemoteDomain& entry) {
    if (!entry.domain) return "*";
    return (entry.include_subdomains ? "*." : "") + entry.domain->text();
}

// The best of the enabled connectors, as routing sees them: most specific space, lowest cost.
const SendConnector* connector_for(const Organization::Parts& parts, const AcceptedDomain& domain) {
    const SendConnector* best = nullptr;
    std::pair<std::uint32_t, std::uint32_t> best_rank;
    for (const auto& connector : parts.send_connectors) {
        for (const auto& space : connector.address_spaces) {
            const bool takes = connector.enabled && space.matches(domain.domain.text());
            const std::pair rank(space.specificity(), UINT32_MAX - space.cost());
            if (takes && (best == nullptr || rank > best_rank)) {
                best = &connector;
                best_rank = rank;
            }
        }
    }
    return best;
}

}  // namespace

std::string to_text(const AcceptedDomain& domain) {
    return (domain.include_subdomains ? "*." : "") + domain.domain.text();
}

std::string title_of(const AcceptedDomain& domain) {
    return object_title("accepted-domain", domain.name);
}

std::string smart_host_command(const AcceptedDomain& domain) {
    return "smtpctl send-connector create " + quoted(to_text(domain)) + " --address-space " +
           quoted(to_text(domain)) + " --smart-host HOST";
}

void check_accepted_domains(const Organization::Parts& parts, Problems& problems) {
    const auto& domains = parts.accepted_domains;
    for (std::size_t i = 0; i < domains.size(); ++i) {
        for (std::size_t j = i + 1; j < domains.size(); ++j) {
            if (to_text(domains[i]) == to_text(domains[j])) {
                problems.push_back(
                    {title_of(domains[j]),
                     "domain",
                     to_text(domains[j]) + " is already the domain of " + title_of(domains[i])});
            }
        }
        check_relayed_fields(domains[i], problems);
    }
    check_default(domains, problems);
}

void check_remote_domains(const Organization::Parts& parts, Problems& problems) {
    const auto& entries = parts.remote_domains;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        for (std::size_t j = i + 1; j < entries.size(); ++j) {
            if (to_text(entries[i]) == to_text(entries[j])) {
                problems.push_back(
                    {object_title("remote-domain", entries[j].name),
                     "domain",
                     to_text(entries[j]) + " is already the domain of " +
                         object_title("remote-domain", entries[i].name)});
            }
        }
    }
}

void check_system_messages(const Organization::Parts& parts, Problems& problems) {
    const auto& messages = parts.system_messages;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        for (std::size_t j = i + 1; j < messages.size(); ++j) {
            if (messages[i].code == messages[j].code &&
                messages[i].internal == messages[j].internal) {
                problems.push_back(
                    {object_title("system-message", messages[j].name),
                     "code",
                     messages[j].code.text() + " has a text for these senders already, in " +
                         object_title("system-message", messages[i].name) +
                         ": change that one, or set internal otherwise"});
            }
        }
    }
}

const SendConnector* sole_mx_connector(
    const Organization::Parts& parts, const AcceptedDomain& domain) {
    const auto* connector = connector_for(parts, domain);
    const bool by_mx = domain.type == AcceptedDomainType::internal_relay && connector != nullptr &&
                       connector->routing == SendRouting::mx;
    return by_mx ? connector : nullptr;
}

// Reference 3.2, relay routing.
void warn_of_relay_domains(const Organization::Parts& parts, std::vector<std::string>& warnings) {
    for (const auto& domain : parts.accepted_domains) {
        if (domain.type == AcceptedDomainType::authoritative) {
            continue;
        }
        const auto* connector = connector_for(parts, domain);
        const auto what = domain.type == AcceptedDomainType::internal_relay
                              ? "mail for recipients unknown here"
                              : "its mail";
        if (connector == nullptr) {
            warnings.push_back(
                title_of(domain) + ": no send connector takes " + to_text(domain) + ", so " + what +
                " waits until it expires; create one, with " + smart_host_command(domain));
        } else if (connector->routing == SendRouting::mx) {
            warnings.push_back(
                title_of(domain) + ": " + what + " leaves by " +
                object_title("send-connector", connector->name) +
                ", by MX, and the MX of an accepted domain usually points back here; send it to "
                "the other system, with " +
                smart_host_command(domain));
        }
    }
}

}  // namespace mailflow
