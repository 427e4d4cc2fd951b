// Percent-encoding of path segments and query values (RFC 3986 §2.3). Pure.
#pragma once

#include <string>
#include <string_view>

namespace mailflow::ctl {

[[nodiscard]] std::string encoded(std::string_view text);

// Adds `name=value` to a target, with `?` or `&`; nothing when the value is empty.
void add_parameter(std::string& target, std::string_view name, std::string_view value);

}  // namespace mailflow::ctl
