// Send connectors, nodes and destination policies from their documents, and what a connector's
// usage presets (reference 1.1, 1.3). Inside config only. Pure.
#pragma once

#include "config/document_reader.hpp"
#include "config/schema/document.hpp"
#include "transport/org/organization.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace mailflow {

[[nodiscard]] SendConnector read_send_connector(
    const std::string& name, const DocumentReader& reader);
[[nodiscard]] DestinationPolicy read_destination_policy(
    const std::string& name, const DocumentReader& reader);
[[nodiscard]] Node read_node(const std::string& name, const DocumentReader& reader);

// Gives the fields of a new connector what its `usage` presets and they do not say.
void apply_send_usage(boost::json::object& fields);

// What is wrong with a whole document that a SendConnector cannot show.
void check_error_policies(
    const boost::json::object& document, std::vector<schema::Problem>& problems);

}  // namespace mailflow
