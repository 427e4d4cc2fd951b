#include "config/configuration_plan.hpp"

#include "config/address_policy_rules.hpp"
#include "config/change_set.hpp"
#include "config/object_secrets.hpp"
#include "config/organization_loader.hpp"
#include "config/schema/values.hpp"
#include "config/standing_objects.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace mailflow {

namespace json = boost::json;
using schema::ObjectType;
using schema::Problem;

namespace {

std::vector<FieldDifference> differences_of(
    const ObjectType& type, const json::object& before, const json::object& after) {
    std::vector<FieldDifference> fields;
    const auto old_shown = without_secrets(type, before);
    const auto new_shown = without_secrets(type, after);
    for (const auto& field : type.fields) {
        const auto* was = before.if_contains(field.name);
        const auto* is = after.if_contains(field.name);
        const bool same = was != nullptr && is != nullptr && *was == *is;
        if (same) {
            continue;
        }
        fields.push_back(
            {std::string(field.name),
             was == nullptr ? std::string() : schema::value_text(old_shown.at(field.name)),
             is == nullptr ? std::string() : schema::value_text(new_shown.at(field.name))});
    }
    return fields;
}

class Planner {
  public:
    Planner(const ObjectSet& objects, const NodeSettings& node, Secrets* secrets)
        : objects_(objects)
        , node_(node)
        , secrets_(secrets) {}

    void make_as_written(const WrittenObject& written) {
        const auto& type = *written.type;
        auto made = make_document(type, written.name, written.fields, node_);
        auto problem = schema::check_name(written.name);
        if (!problem.empty()) {
            made.problems.push_back(
                {schema::object_title(type, written.name), "name", std::move(problem)});
        }
        if (!made.ok()) {
            refuse(made.problems);
            return;
        }
        const auto* record = find_object(objects_, type.name, written.name);
        if (record == nullptr) {
            create(type, written.name, std::move(made.document));
        } else {
            change(type, *record, written, std::move(made.document));
        }
    }

    void remove_others(const ObjectType& type, const WrittenConfiguration& written) {
        for (const auto& record : objects_.objects) {
            const bool stays =
                record.type != type.name || is_written(written, record) || is_always_there(record);
            if (!stays) {
                plan.changes.push_back({record.type, record.name, {}, {}});
                plan.differences.push_back(
                    {ObjectDifference::Kind::removed, record.type, record.name});
            }
        }
    }

    ConfigurationPlan plan;

  private:
    void refuse(const std::vector<Problem>& problems) {
        plan.problems.insert(plan.problems.end(), problems.begin(), problems.end());
    }

    static bool is_written(const WrittenConfiguration& written, const ObjectRecord& record) {
        return std::any_of(
            written.objects.begin(), written.objects.end(), [&record](const WrittenObject& object) {
                return object.type->name == record.type &&
                       ascii::equal_ignoring_case(object.name, record.name);
            });
    }

    [[nodiscard]] bool is_always_there(const ObjectRecord& record) const {
        if (record.type != "node") {
            return is_standing(record.type, record.name);
        }
        std::vector<Problem> ignored;
        const auto document = read_document(record, ignored);
        const auto* fqdn = document.if_contains("fqdn");
        return fqdn != nullptr && ascii::equal_ignoring_case(fqdn->as_string(), node_.fqdn);
    }

    void create(const ObjectType& type, const std::string& name, json::object document) {
        const auto problems = seal_secrets(secrets_, {type, name, name, nullptr, document});
        if (!problems.empty()) {
            refuse(problems);
            return;
        }
        plan.changes.push_back({std::string(type.name), name, json::serialize(document), {}});
        plan.differences.push_back({ObjectDifference::Kind::created, std::string(type.name), name});
    }

    void change(
        const ObjectType& type,
        const ObjectRecord& record,
        const WrittenObject& written,
        json::object document) {
        std::vector<Problem> unreadable;
        const auto before = read_document(record, unreadable);
        for (const auto& field : type.fields) {
            const bool kept = field.read_only || (field.kind == schema::ValueKind::secret &&
                                                  !written.fields.contains(field.name));
            if (const auto* value = before.if_contains(field.name); kept && value != nullptr) {
                document[field.name] = *value;
            }
        }
        const auto problems =
            seal_secrets(secrets_, {type, record.name, written.name, &before, document});
        if (!problems.empty()) {
            refuse(problems);
            return;
        }
        auto fields = differences_of(type, before, document);
        if (!fields.empty() && type.name == kPolicyType) {
            // Reference 4.1: what changed is applied by nobody but `apply`.
            document["applied"] = false;
        }
        const bool renamed = !type.single && record.name != written.name;
        if (renamed) {
            fields.insert(fields.begin(), {"name", record.name, written.name});
        }
        if (fields.empty()) {
            return;
        }
        plan.changes.push_back(
            {record.type,
             record.name,
             json::serialize(document),
             renamed ? written.name : std::string()});
        plan.differences.push_back(
            {ObjectDifference::Kind::changed, record.type, written.name, std::move(fields)});
    }

    const ObjectSet& objects_;
    const NodeSettings& node_;
    Secrets* secrets_;
};

}  // namespace

ConfigurationPlan plan_objects(
    const ObjectSet& objects,
    const WrittenConfiguration& written,
    const NodeSettings& node,
    Secrets* secrets) {
    Planner planner(objects, node, secrets);
    for (const auto& type : schema::object_types()) {
        if (type.is_recipient || !written.types.contains(type.name)) {
            continue;
        }
        for (const auto& object : written.objects) {
            if (object.type == &type) planner.make_as_written(object);
        }
        if (!type.single) {
            planner.remove_others(type, written);
        }
    }
    return std::move(planner.plan);
}

}  // namespace mailflow
