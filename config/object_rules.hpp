// What an edit of one object does to others, and the edits that no object of its type allows: the
// default flag of accepted domains moves, address policies keep their order, what always exists
// stays (reference 3.1, 3.4, 4.1, 4.3). Used by OrganizationService before it checks the whole.
// Inside config only. Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/object_store.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace mailflow {

// The object that is about to be stored, and what is stored with it.
struct ObjectEdit {
    const schema::ObjectType& type;
    const std::string& name;             // as stored now, or of the new one
    const boost::json::object* before;   // null: a new object
    boost::json::object& document;       // canonical; may be completed
    std::vector<ObjectChange>& changes;  // of other objects
};

[[nodiscard]] std::vector<schema::Problem> settle_edit(const ObjectSet& objects, ObjectEdit edit);

// `document`: of the object that is to go. A node leaves the source servers of send connectors that
// have others.
[[nodiscard]] std::vector<schema::Problem> settle_removal(
    const ObjectSet& objects,
    const schema::ObjectType& type,
    const std::string& name,
    const boost::json::object& document,
    const NodeSettings& node,
    std::vector<ObjectChange>& changes);

}  // namespace mailflow
