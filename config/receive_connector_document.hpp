// Receive connectors between their documents and the flow's ReceiveConnector, and the fields a
// usage fills at creation. Inside config only; pure.
#pragma once

#include "config/document_reader.hpp"
#include "config/schema/document.hpp"
#include "transport/org/receive_connector.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace mailflow {

[[nodiscard]] ReceiveConnector read_receive_connector(
    const std::string& name, const DocumentReader& reader);

// Reference 2.3: what `usage` says is put into the fields of a new connector that are not given.
// The problem is a field the usage wants and nobody gave.
void apply_usage(boost::json::object& fields, std::vector<schema::Problem>& problems);

}  // namespace mailflow
