// What has to change so that the objects are as a written configuration says: compared object by
// object, field by field. Types the text does not speak of stay as they are, and so do this node,
// what always exists, and secrets that are not written. Inside config only. Pure but for sealing.
#pragma once

#include "config/configuration_text.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/object_store.hpp"
#include "transport/ports/secrets.hpp"

#include <string>
#include <vector>

namespace mailflow {

struct FieldDifference {
    std::string field;
    std::string before;  // as a table shows it; a secret only says that it is there
    std::string after;
};

struct ObjectDifference {
    enum class Kind : std::uint8_t { created, changed, removed };

    Kind kind = Kind::changed;
    std::string type;
    std::string name;
    std::vector<FieldDifference> fields{};  // of a changed one
};

struct ConfigurationPlan {
    std::vector<ObjectChange> changes;
    std::vector<ObjectDifference> differences;  // in the order of types and names
    std::vector<schema::Problem> problems;      // nothing can be done
};

// Objects only: recipients are kept elsewhere. `secrets` may be null.
[[nodiscard]] ConfigurationPlan plan_objects(
    const ObjectSet& objects,
    const WrittenConfiguration& written,
    const NodeSettings& node,
    Secrets* secrets);

}  // namespace mailflow
