#include "config/address_policy_rules.hpp"

#include "config/organization_documents.hpp"
#include "config/organization_loader.hpp"
#include "transport/addressing/address_template.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <optional>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;

namespace {

constexpr std::string_view kPrimary = "SMTP:";
constexpr std::string_view kProxy = "smtp:";
constexpr std::string_view kLowest = "lowest";

bool is_primary(const json::value& written) {
    return std::string_view(written.as_string()).starts_with(kPrimary);
}

std::string_view bare(const json::value& written) {
    return std::string_view(written.as_string()).substr(kPrimary.size());
}

bool names_primary(const json::value* added) {
    if (added == nullptr) return false;
    if (const auto* text = added->if_string()) {
        return std::string_view(*text).starts_with(kPrimary);
    }
    const auto* list = added->if_array();
    return list != nullptr && std::any_of(list->begin(), list->end(), [](const json::value& one) {
               return one.is_string() && is_primary(one);
           });
}

void order_templates(
    json::array& templates, const json::object& edit, std::vector<Problem>& problems) {
    // An added `SMTP:` takes the mark from the one before, which stays as a proxy.
    const bool moves = names_primary(edit.if_contains("add_templates"));
    const auto marked = std::count_if(templates.begin(), templates.end(), is_primary);
    if (marked > 1 && moves) {
        auto former = std::find_if(templates.begin(), templates.end(), is_primary);
        *former = std::string(kProxy) + std::string(bare(*former));
    } else if (marked > 1) {
        problems.push_back({{}, "templates", "only one can be primary: write SMTP: once"});
        return;
    }
    const auto primary = std::find_if(templates.begin(), templates.end(), is_primary);
    if (primary != templates.end()) {
        std::rotate(templates.begin(), primary, primary + 1);
    } else if (edit.contains("remove_templates")) {
        problems.push_back(
            {{},
             "templates",
             "the primary template cannot go: give another one first, with --add-template "
             "SMTP:TEMPLATE"});
    } else if (!templates.empty()) {
        templates.front() = std::string(kPrimary) + std::string(bare(templates.front()));
    }
}

bool is_empty_list(const json::object& document, std::string_view field) {
    return document.at(field).as_array().empty();
}

// Reference 4.1: RecipientFilter excludes IncludedRecipients and the conditions; AllRecipients
// stands alone.
void check_filters(const json::object& document, std::vector<Problem>& problems) {
    const auto& kinds = document.at("included_recipients").as_array();
    const bool all = std::find(kinds.begin(), kinds.end(), json::value("all")) != kinds.end();
    if (all && kinds.size() > 1) {
        problems.push_back({{}, "included_recipients", "all stands alone: leave the others out"});
    }
    if (document.at("recipient_filter").as_string().empty()) {
        return;
    }
    for (const auto& member : document) {
        const std::string_view field = member.key();
        const bool precanned =
            field == "included_recipients" || field.starts_with(kConditionPrefix);
        if (precanned && !is_empty_list(document, field)) {
            problems.push_back(
                {{},
                 "recipient_filter",
                 "cannot stand together with " + std::string(field) +
                     ": write both as one expression, or take one away"});
        }
    }
}

// A custom policy of the store and its number.
struct Placed {
    std::string name;
    std::int64_t number = 0;
    json::object document;
};

// By number, without `own_name` and the default one.
std::vector<Placed> other_policies(const ObjectSet& objects, std::string_view own_name) {
    std::vector<Placed> others;
    for (const auto& record : objects.objects) {
        if (record.type != kPolicyType || ascii::equal_ignoring_case(record.name, own_name)) {
            continue;
        }
        std::vector<Problem> ignored;
        auto document = read_document(record, ignored);
        if (document.empty()) continue;
        if (const auto* number = document.at("priority").if_int64()) {
            others.push_back({record.name, *number, std::move(document)});
        }
    }
    std::stable_sort(others.begin(), others.end(), [](const Placed& a, const Placed& b) {
        return a.number < b.number;
    });
    return others;
}

// Numbers 1, 2, 3 … but `left_out`.
void renumber(
    std::vector<Placed>& others, std::int64_t left_out, std::vector<ObjectChange>& changes) {
    std::int64_t number = 0;
    for (auto& other : others) {
        ++number;
        if (number == left_out) ++number;
        if (other.number != number) {
            other.document["priority"] = number;
            changes.push_back(
                {std::string(kPolicyType), other.name, json::serialize(other.document), {}});
        }
    }
}

struct Template {
    std::string text;  // as people write it
    DomainName domain;
    bool primary = false;
};

std::vector<Template> templates_of(const AddressPolicy& policy) {
    std::vector<Template> templates;
    const auto add = [&templates](const std::string& text, bool primary) {
        const auto parsed = AddressTemplate::parse(text, nullptr);
        if (parsed) {
            templates.push_back(
                {std::string(primary ? kPrimary : kProxy) + text, parsed->domain(), primary});
        }
    };
    add(policy.primary_template, true);
    for (const auto& text : policy.secondary_templates)
        add(text, false);
    return templates;
}

// What is wrong with the domain of a template, and what to do; empty: nothing.
std::string domain_problem(const Organization& organization, const Template& written) {
    const auto& name = written.domain.text();
    const auto* domain = organization.find_accepted_domain(written.domain);
    if (domain == nullptr) {
        return name + " is not an accepted domain; create it first, with smtpctl accepted-domain " +
               "create " + name;
    }
    if (domain->type == AcceptedDomainType::external_relay) {
        return name + " is an external-relay domain, where nobody has an address; make it " +
               "authoritative, with smtpctl accepted-domain set \"" + domain->name +
               "\" --type authoritative";
    }
    if (written.primary && domain->type != AcceptedDomainType::authoritative) {
        return name + " is an internal-relay domain, and primary addresses are in authoritative " +
               "ones; make it a secondary template, with smtp:, or the domain authoritative, " +
               "with smtpctl accepted-domain set \"" + domain->name + "\" --type authoritative";
    }
    return {};
}

std::string title_of(const AddressPolicy& policy) {
    return schema::object_title(*schema::find_type(kPolicyType), policy.name);
}

// Only what the rule looks at.
Organization domains_of(const Organization::Parts& parts) {
    Organization::Parts domains;
    domains.accepted_domains = parts.accepted_domains;
    return Organization(std::move(domains));
}

}  // namespace

void complete_policy(
    json::object& document, const json::object& edit, std::vector<Problem>& problems) {
    order_templates(document.at("templates").as_array(), edit, problems);
    check_filters(document, problems);
}

void place_policy(
    const ObjectSet& objects,
    std::string_view name,
    json::object& document,
    std::vector<ObjectChange>& changes,
    std::vector<Problem>& problems) {
    auto others = other_policies(objects, name);
    const auto last = static_cast<std::int64_t>(others.size()) + 1;
    auto& priority = document.at("priority");
    if (!priority.is_int64() && priority.as_string() == kLowest) {
        problems.push_back(
            {{},
             "priority",
             std::string(kLowest) + " is the place of \"" + kDefaultPolicyName +
                 "\": write a number from 1 to " + std::to_string(last)});
        return;
    }
    if (!priority.is_int64()) {
        priority = last;
    }
    const auto number = priority.as_int64();
    if (number > last) {
        problems.push_back(
            {{},
             "priority",
             std::to_string(number) + " leaves a gap: write a number from 1 to " +
                 std::to_string(last)});
        return;
    }
    renumber(others, number, changes);
}

void close_policy_gap(
    const ObjectSet& objects, std::string_view name, std::vector<ObjectChange>& changes) {
    auto others = other_policies(objects, name);
    renumber(others, 0, changes);
}

void check_address_policies(const Organization::Parts& parts, std::vector<Problem>& problems) {
    const auto organization = domains_of(parts);
    for (const auto& policy : parts.address_policies) {
        for (const auto& written : templates_of(policy)) {
            const auto wrong = domain_problem(organization, written);
            if (!wrong.empty()) {
                problems.push_back({title_of(policy), "templates", written.text + ": " + wrong});
            }
        }
    }
}

std::vector<Problem> find_policies_in_the_way(
    const Organization::Parts& before, const Organization::Parts& next, const std::string& title) {
    std::vector<Problem> problems;
    const auto domains_before = domains_of(before);
    const auto domains_next = domains_of(next);
    for (const auto& policy : next.address_policies) {
        for (const auto& written : templates_of(policy)) {
            const bool breaks = domain_problem(domains_before, written).empty() &&
                                !domain_problem(domains_next, written).empty();
            if (breaks) {
                problems.push_back(
                    {title,
                     {},
                     "is in use by " + title_of(policy) + ", whose template " + written.text +
                         " needs it as it is: change that template first, with smtpctl "
                         "address-policy set \"" +
                         policy.name + "\" --template SMTP:TEMPLATE"});
            }
        }
    }
    return problems;
}

}  // namespace mailflow
