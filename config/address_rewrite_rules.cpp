#include "config/address_rewrite_rules.hpp"

#include "config/field_syntax.hpp"

#include <cstddef>
#include <utility>

namespace mailflow {

using schema::Problem;

namespace {

using Problems = std::vector<Problem>;

std::string title_of(const AddressRewrite& entry) {
    return schema::object_title(*schema::find_type("address-rewrite"), entry.name);
}

const DomainName& domain_of(const AddressPattern& pattern) {
    return pattern.address ? pattern.address->domain().value() : pattern.domain.value();
}

std::string described(const AddressPattern& pattern) {
    return to_text(pattern) + (pattern.address ? " (an address)" : " (a domain)");
}

void check_kinds(const AddressRewrite& entry, Problems& problems) {
    const auto object = title_of(entry);
    if (entry.external.include_subdomains) {
        problems.push_back(
            {object,
             "external",
             to_text(entry.external) + " cannot stand for what is shown outside: write one domain "
                                       "without \"*.\", also when internal has it"});
    } else if (entry.internal.address.has_value() != entry.external.address.has_value()) {
        problems.push_back(
            {object,
             "external",
             "internal is " + described(entry.internal) + " and external is " +
                 described(entry.external) + ": write two addresses or two domains"});
    } else if (to_text(entry.internal) == to_text(entry.external)) {
        problems.push_back({object, "external", "is the same as internal: nothing would change"});
    }
}

// Reference 4.8: flattening loses which domain it was, so there is no way back.
void check_subdomains(const AddressRewrite& entry, Problems& problems) {
    const auto object = title_of(entry);
    const auto& internal = entry.internal;
    if (internal.include_subdomains && !entry.outbound_only) {
        problems.push_back(
            {object,
             "outbound_only",
             "must be true when internal is a domain with everything below it, " +
                 to_text(internal) + ": nobody could tell which domain to change " +
                 to_text(entry.external) + " back to"});
    }
    if (!internal.include_subdomains && !entry.exceptions.empty()) {
        problems.push_back(
            {object,
             "exceptions",
             "have a meaning only when internal begins with \"*.\", not for " + to_text(internal)});
        return;
    }
    for (const auto& exception : entry.exceptions) {
        const bool below = internal.domain && exception.is_within(*internal.domain) &&
                           exception != *internal.domain;
        if (!below) {
            problems.push_back(
                {object,
                 "exceptions",
                 exception.text() + " is not below " + to_text(internal) + " of internal"});
        }
    }
}

// Reference 4.8, scope guard: nobody relays by rewriting. What is wrong, and what to do.
std::string scope_problem(const AddressRewrite& entry, const Organization& organization) {
    const auto& domain = domain_of(entry.internal);
    const auto* accepted = organization.find_accepted_domain(domain);
    if (accepted == nullptr) {
        return domain.text() +
               " is not an accepted domain; create it first, with smtpctl accepted-domain create " +
               domain.text();
    }
    if (accepted->type != AcceptedDomainType::authoritative) {
        return domain.text() +
               " is a relay domain, and only addresses of authoritative ones are rewritten; make "
               "it one, with smtpctl accepted-domain set \"" +
               accepted->name + "\" --type authoritative";
    }
    return {};
}

// Only what the rule looks at.
Organization domains_of(const Organization::Parts& parts) {
    Organization::Parts domains;
    domains.accepted_domains = parts.accepted_domains;
    return Organization(std::move(domains));
}

// One address is rewritten one way, and comes back one way.
void check_pair(const AddressRewrite& first, const AddressRewrite& second, Problems& problems) {
    if (to_text(first.internal) == to_text(second.internal)) {
        problems.push_back(
            {title_of(second),
             "internal",
             to_text(second.internal) + " is rewritten by " + title_of(first) + " already"});
    }
    const bool both_ways = !first.outbound_only && !second.outbound_only;
    if (both_ways && to_text(first.external) == to_text(second.external)) {
        problems.push_back(
            {title_of(second),
             "external",
             "mail to " + to_text(second.external) + " is changed back by " + title_of(first) +
                 " already: set outbound_only of one of them"});
    }
}

}  // namespace

void check_address_rewrites(const Organization::Parts& parts, Problems& problems) {
    if (parts.address_rewrites.empty()) {
        return;
    }
    const auto organization = domains_of(parts);
    const auto& entries = parts.address_rewrites;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        check_kinds(entries[i], problems);
        check_subdomains(entries[i], problems);
        const auto wrong = scope_problem(entries[i], organization);
        if (!wrong.empty()) problems.push_back({title_of(entries[i]), "internal", wrong});
        for (std::size_t j = i + 1; j < entries.size(); ++j)
            check_pair(entries[i], entries[j], problems);
    }
}

std::vector<Problem> find_rewrites_in_the_way(
    const Organization::Parts& before, const Organization::Parts& next, const std::string& title) {
    Problems problems;
    const auto domains_before = domains_of(before);
    const auto domains_next = domains_of(next);
    for (const auto& entry : next.address_rewrites) {
        const bool breaks = scope_problem(entry, domains_before).empty() &&
                            !scope_problem(entry, domains_next).empty();
        if (breaks) {
            problems.push_back(
                {title,
                 {},
                 "is in use by " + title_of(entry) + ", whose internal is " +
                     to_text(entry.internal) +
                     ": remove that entry first, with smtpctl address-rewrite remove \"" +
                     entry.name + "\""});
        }
    }
    return problems;
}

}  // namespace mailflow
