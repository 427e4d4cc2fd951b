// Stored documents become the Organization. A document that does not fit its type is a problem (a
// newer program's, or an edited file); whether the objects fit together is validation's question.
// Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"
#include "transport/ports/object_store.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// The parts of an Organization, or what is wrong with which object. Lists are in order of name.
[[nodiscard]] Organization::Parts load_organization(
    const ObjectSet& objects, const NodeSettings& node, std::vector<schema::Problem>& problems);

// The fields of a stored object, complete and in order; problems when the document is none of its
// type.
[[nodiscard]] boost::json::object read_document(
    const ObjectRecord& record, std::vector<schema::Problem>& problems);

// Canonical fields of a new object, as `normalize` does, with the defaults that need the object's
// name and node.
[[nodiscard]] schema::CheckedDocument make_document(
    const schema::ObjectType& type,
    const std::string& name,
    const boost::json::object& fields,
    const NodeSettings& node);

// Canonical fields of an object after an edit; `routing` follows `smart_hosts` where the edit names
// only those.
[[nodiscard]] schema::CheckedDocument edit_document(
    const schema::ObjectType& type,
    const std::string& name,
    const boost::json::object& current,
    const boost::json::object& edit,
    const NodeSettings& node);

}  // namespace mailflow
