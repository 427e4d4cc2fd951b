// Values whose grammar belongs to mail: domains, address spaces, smart hosts, addresses. The
// schema, which smtpctl links, knows them as text; here they are checked in full and brought into
// canonical form before the schema sees them. Pure.
#pragma once

#include "config/schema/document.hpp"
#include "transport/org/address_rewrite.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// `fields` with such values in canonical form; keys as in schema::apply_edit. Other values pass
// unchanged: the schema judges them.
[[nodiscard]] boost::json::object canonical_fields(
    const schema::ObjectType& type,
    const boost::json::object& fields,
    std::vector<schema::Problem>& problems);

// `alice@contoso.com`, `contoso.com`, `*.contoso.com`; nothing when it is none of them.
[[nodiscard]] std::optional<AddressPattern> parse_address_pattern(std::string_view text);
[[nodiscard]] std::string to_text(const AddressPattern& pattern);

}  // namespace mailflow
