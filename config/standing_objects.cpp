#include "config/standing_objects.hpp"

#include "config/address_policy_rules.hpp"
#include "config/change_set.hpp"
#include "config/organization_documents.hpp"
#include "config/organization_loader.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace mailflow {

namespace json = boost::json;
using schema::Problem;

namespace {

constexpr std::string_view kRemoteDomainType = "remote-domain";
constexpr std::string_view kNodeType = "node";

const Node* find_node(const Organization::Parts& parts) {
    for (const auto& node : parts.nodes) {
        if (ascii::equal_ignoring_case(node.fqdn, parts.node.fqdn)) return &node;
    }
    return nullptr;
}

ObjectChange made(
    std::string_view type,
    std::string_view name,
    const json::object& fields,
    const NodeSettings& node,
    bool applied) {
    auto document =
        make_document(*schema::find_type(type), std::string(name), fields, node).document;
    if (type == kPolicyType) {
        document["applied"] = applied;
    }
    return {std::string(type), std::string(name), json::serialize(document), {}};
}

// Where primary addresses may be: the default domain, else another; null when there is none.
const AcceptedDomain* domain_of_policy(const std::vector<AcceptedDomain>& domains) {
    const AcceptedDomain* chosen = nullptr;
    for (const auto& domain : domains) {
        const bool fits = domain.type == AcceptedDomainType::authoritative;
        if (fits && (chosen == nullptr || domain.is_default)) chosen = &domain;
    }
    return chosen;
}

}  // namespace

std::vector<ObjectChange> missing_standing_objects(
    const ObjectSet& objects, const Organization::Parts& parts, bool applied) {
    std::vector<ObjectChange> changes;
    const auto& node = parts.node;
    const auto* domain = domain_of_policy(parts.accepted_domains);
    if (domain != nullptr && find_object(objects, kPolicyType, kDefaultPolicyName) == nullptr) {
        const json::object fields = {
            {"priority", "lowest"},
            {"templates", json::array{json::value("SMTP:%m@" + domain->domain.text())}}};
        changes.push_back(made(kPolicyType, kDefaultPolicyName, fields, node, applied));
    }
    if (find_object(objects, kRemoteDomainType, kDefaultRemoteDomain) == nullptr) {
        changes.push_back(
            made(kRemoteDomainType, kDefaultRemoteDomain, {{"domain", "*"}}, node, false));
    }
    if (find_node(parts) == nullptr) {
        const json::object fields = {{"fqdn", node.fqdn}, {"site", node.site}};
        changes.push_back(made(kNodeType, node.fqdn, fields, node, false));
    }
    return changes;
}

std::vector<ObjectChange> moved_node(const ObjectSet& objects, const Organization::Parts& parts) {
    const auto* stored = find_node(parts);
    if (stored == nullptr || stored->site == parts.node.site) {
        return {};
    }
    std::vector<Problem> ignored;
    auto document = read_document(*find_object(objects, kNodeType, stored->name), ignored);
    document["site"] = parts.node.site;
    return {{std::string(kNodeType), stored->name, json::serialize(document), {}}};
}

std::string said_of_standing(const ObjectChange& made) {
    const auto title = schema::object_title(*schema::find_type(made.type), made.name);
    return made.type == kPolicyType
               ? title +
                     " is made, too; recipients keep the addresses they have until smtpctl "
                     "address-policy apply"
               : title + " is made, too";
}

bool is_standing(std::string_view type, std::string_view name) {
    return (type == kPolicyType && ascii::equal_ignoring_case(name, kDefaultPolicyName)) ||
           (type == kRemoteDomainType && ascii::equal_ignoring_case(name, kDefaultRemoteDomain));
}

std::vector<Problem> check_standing_edit(
    std::string_view type,
    const std::string& name,
    const json::object& edit,
    const std::string& new_name) {
    std::vector<Problem> problems;
    if (!is_standing(type, name)) {
        return problems;
    }
    const auto& object_type = *schema::find_type(type);
    const auto title = schema::object_title(object_type, name);
    if (!new_name.empty()) {
        problems.push_back({title, "name", "is fixed: " + why_standing(type)});
    }
    for (const auto& member : edit) {
        const auto* field = schema::field_of_edit_key(object_type, member.key());
        if (type != kPolicyType || field == nullptr) {
            continue;
        }
        const bool filter = field->name == "included_recipients" ||
                            field->name == "recipient_filter" ||
                            field->name.starts_with(kConditionPrefix);
        if (filter || field->name == "priority") {
            problems.push_back(
                {title, std::string(field->name), "is fixed: " + why_standing(type)});
        }
    }
    return problems;
}

std::string why_standing(std::string_view type) {
    return type == kPolicyType ? "the default policy is for all recipients, after all other "
                                 "policies; its templates can be changed"
                               : "it stands for every domain without an entry of its own; its "
                                 "switches can be changed";
}

}  // namespace mailflow
