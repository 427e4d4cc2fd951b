// The organization as one TOML text, the form of `config export`: object types in the schema's
// order, objects by name, fields in the schema's order, so that equal configurations give equal
// texts. Pure.
#pragma once

#include "config/schema/object_type.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace mailflow {

// Stands at the top of an export.
[[nodiscard]] std::string toml_header();
// `send_connector = []`: there is none, and whoever applies the text removes theirs. Stands above
// all tables.
[[nodiscard]] std::string toml_nothing(const schema::ObjectType& type);
// One object as a table (`[transport_config]`) or an element of an array of tables
// (`[[send_connector]]`), with an empty line before it.
[[nodiscard]] std::string toml_object(
    const schema::ObjectType& type, std::string_view name, const boost::json::object& document);

}  // namespace mailflow
