#include "config/object_rules.hpp"

#include "config/address_policy_rules.hpp"
#include "config/organization_loader.hpp"
#include "config/standing_objects.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace mailflow {

namespace json = boost::json;
using schema::ObjectType;
using schema::Problem;

namespace {

constexpr std::string_view kAcceptedDomain = "accepted-domain";

bool is_default(const json::object& document) {
    const auto* value = document.if_contains("default");
    return value != nullptr && value->is_bool() && value->get_bool();
}

// Reference 3.1, MakeDefault: the flag moves.
void take_default_from_others(
    const ObjectSet& objects, std::string_view own_name, std::vector<ObjectChange>& changes) {
    for (const auto& record : objects.objects) {
        std::vector<Problem> ignored;
        const bool other =
            record.type == kAcceptedDomain && !ascii::equal_ignoring_case(record.name, own_name);
        auto document = other ? read_document(record, ignored) : json::object();
        if (is_default(document)) {
            document["default"] = false;
            changes.push_back({record.type, record.name, json::serialize(document), {}});
        }
    }
}

// Another accepted domain, to be named in an advice.
std::string another_domain(const ObjectSet& objects, std::string_view own_name) {
    for (const auto& record : objects.objects) {
        if (record.type == kAcceptedDomain && !ascii::equal_ignoring_case(record.name, own_name)) {
            return "\"" + record.name + "\"";
        }
    }
    return "NAME";
}

bool same_but_applied(json::object a, json::object b) {
    a["applied"] = false;
    b["applied"] = false;
    return a == b;
}

// Reference 4.1, 4.4 (fact 14): a policy that changed is applied by nobody but `apply`.
std::vector<Problem> settle_policy(const ObjectSet& objects, ObjectEdit& edit) {
    std::vector<Problem> problems;
    if (!is_standing(edit.type.name, edit.name)) {
        place_policy(objects, edit.name, edit.document, edit.changes, problems);
    }
    if (edit.before == nullptr || !same_but_applied(*edit.before, edit.document)) {
        edit.document["applied"] = false;
    }
    return problems;
}

// Reference 1.1, SourceTransportServers: a connector always has one.
std::vector<Problem> settle_node_removal(
    const ObjectSet& objects,
    const std::string& title,
    const std::string& fqdn,
    const NodeSettings& node,
    std::vector<ObjectChange>& changes) {
    if (ascii::equal_ignoring_case(fqdn, node.fqdn)) {
        return {{title, {}, "cannot be removed: it is this server itself"}};
    }
    std::vector<Problem> problems;
    for (const auto& record : objects.objects) {
        std::vector<Problem> ignored;
        const bool sends = record.type == "send-connector";
        auto document = sends ? read_document(record, ignored) : json::object();
        if (document.empty()) {
            continue;
        }
        json::array others;
        const auto& servers = document.at("source_servers").as_array();
        for (const auto& server : servers) {
            if (!ascii::equal_ignoring_case(server.as_string(), fqdn)) others.push_back(server);
        }
        if (others.size() == servers.size()) {
            continue;
        }
        if (others.empty()) {
            problems.push_back(
                {title,
                 {},
                 "is the last source server of send-connector \"" + record.name +
                     "\" and cannot be removed: give that another one first, with smtpctl "
                     "send-connector set \"" +
                     record.name + "\" --source-server " + node.fqdn});
            continue;
        }
        document["source_servers"] = std::move(others);
        changes.push_back({record.type, record.name, json::serialize(document), {}});
    }
    return problems;
}

}  // namespace

std::vector<Problem> settle_edit(const ObjectSet& objects, ObjectEdit edit) {
    std::vector<Problem> problems;
    if (edit.before == nullptr && is_standing(edit.type.name, edit.name)) {
        return {
            {schema::object_title(edit.type, edit.name),
             "name",
             "is the name of an object that the server makes itself at its start: write another"}};
    }
    if (edit.type.name == kAcceptedDomain && is_default(edit.document)) {
        take_default_from_others(objects, edit.name, edit.changes);
    }
    if (edit.type.name == kPolicyType) {
        problems = settle_policy(objects, edit);
    }
    for (auto& problem : problems)
        problem.object = schema::object_title(edit.type, edit.name);
    return problems;
}

std::vector<Problem> settle_removal(
    const ObjectSet& objects,
    const ObjectType& type,
    const std::string& name,
    const json::object& document,
    const NodeSettings& node,
    std::vector<ObjectChange>& changes) {
    std::vector<Problem> problems;
    const auto title = schema::object_title(type, name);
    const auto* fqdn = type.name == "node" ? document.if_contains("fqdn") : nullptr;
    if (fqdn != nullptr) {
        return settle_node_removal(objects, title, std::string(fqdn->as_string()), node, changes);
    }
    if (is_standing(type.name, name)) {
        problems.push_back({title, {}, "cannot be removed: " + why_standing(type.name)});
    } else if (type.name == kPolicyType) {
        close_policy_gap(objects, name, changes);
    } else if (type.name == kAcceptedDomain && is_default(document)) {
        problems.push_back(
            {title,
             {},
             "is the default domain and cannot be removed: make another one the default first, "
             "with smtpctl accepted-domain set " +
                 another_domain(objects, name) + " --default true"});
    }
    return problems;
}

}  // namespace mailflow
