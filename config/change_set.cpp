#include "config/change_set.hpp"

#include "config/organization_loader.hpp"
#include "config/standing_objects.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;

namespace {

bool is_object(const ObjectRecord& record, std::string_view type, std::string_view name) {
    return record.type == type && ascii::equal_ignoring_case(record.name, name);
}

void apply(std::vector<ObjectRecord>& records, const ObjectChange& change) {
    const auto found = std::find_if(records.begin(), records.end(), [&](const auto& record) {
        return is_object(record, change.type, change.name);
    });
    if (!change.document && change.new_name.empty()) {
        if (found != records.end()) records.erase(found);
        return;
    }
    if (found == records.end()) {
        records.push_back({change.type, change.name, change.document.value_or("{}")});
        return;
    }
    if (change.document) found->document = *change.document;
    if (!change.new_name.empty()) found->name = change.new_name;
}

bool is_before(const ObjectRecord& a, const ObjectRecord& b) {
    return a.type != b.type ? a.type < b.type : ascii::less_ignoring_case(a.name, b.name);
}

}  // namespace

const ObjectRecord* find_object(
    const ObjectSet& objects, std::string_view type, std::string_view name) {
    const auto& records = objects.objects;
    const auto found = std::find_if(records.begin(), records.end(), [&](const auto& record) {
        return is_object(record, type, name);
    });
    return found == records.end() ? nullptr : &*found;
}

ObjectSet with_changes(ObjectSet objects, const std::vector<ObjectChange>& changes) {
    for (const auto& change : changes)
        apply(objects.objects, change);
    std::sort(objects.objects.begin(), objects.objects.end(), is_before);
    return objects;
}

namespace {

struct First {
    std::string_view type;
    std::string name;
    json::object fields;
};

json::array texts(const std::vector<Endpoint>& endpoints) {
    json::array bindings;
    for (const auto& endpoint : endpoints)
        bindings.emplace_back(endpoint.text());
    return bindings;
}

// Reference 2.1: the names, and that the first one alone has a verbose protocol log.
std::vector<First> first_connectors(const NodeSettings& node, const FirstStart& first) {
    std::vector<First> connectors;
    const auto add = [&](const char* name, const auto& bindings, json::object fields) {
        if (!bindings.empty()) {
            fields["bindings"] = texts(bindings);
            connectors.push_back(
                {"receive-connector", name + (" " + node.fqdn), std::move(fields)});
        }
    };
    add("Default Frontend", first.smtp, {{"usage", "internet"}, {"protocol_log", "verbose"}});
    add("Client Frontend", first.submission, {{"usage", "client"}});
    // RFC 8314 §3.3: submission with TLS on connect.
    add("Client Frontend TLS", first.submissions, {{"usage", "client"}, {"tls", "implicit"}});
    return connectors;
}

}  // namespace

std::vector<ObjectChange> first_objects(
    const NodeSettings& node, const FirstStart& first, std::vector<schema::Problem>& problems) {
    const auto domain = first.domain.empty() ? domain_part(node.fqdn) : first.domain;
    auto objects = first_connectors(node, first);
    objects.push_back({"accepted-domain", domain, {{"domain", domain}, {"default", true}}});
    objects.push_back({"transport-config", std::string(schema::kSingleName), {}});
    std::vector<ObjectChange> changes;
    for (const auto& object : objects) {
        auto made =
            make_document(*schema::find_type(object.type), object.name, object.fields, node);
        problems.insert(problems.end(), made.problems.begin(), made.problems.end());
        changes.push_back(
            {std::string(object.type), object.name, json::serialize(made.document), {}});
    }
    if (!problems.empty()) {
        return changes;
    }
    // The first mailbox is made with these addresses: the policy is applied.
    std::vector<schema::Problem> unreadable;
    const auto parts = load_organization(with_changes({}, changes), node, unreadable);
    const auto standing = missing_standing_objects({}, parts, true);
    changes.insert(changes.end(), standing.begin(), standing.end());
    return changes;
}

std::string domain_part(std::string_view fqdn) {
    const auto dot = fqdn.find('.');
    return std::string(dot == std::string_view::npos ? fqdn : fqdn.substr(dot + 1));
}

}  // namespace mailflow
