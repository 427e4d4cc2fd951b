// What edits do to a header, field by field, for people. Pure; used by explain().
#pragma once

#include "server/explain/explanation.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// `header`: whole, with the empty line; `added`: complete fields put in front of it; `edits` by
// offset, as Content wants them. In the order of the message, added fields first.
[[nodiscard]] std::vector<Explanation::FieldChange> header_changes(
    std::string_view header, std::string_view added, const std::vector<HeaderEdit>& edits);

}  // namespace mailflow
