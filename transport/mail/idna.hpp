// IDNA 2008 (RFC 5890–5893) by libidn2, non-transitional: U-labels to A-labels and back. Pure; used
// by DomainName only.
#pragma once

#include "transport/base/result.hpp"

#include <string>
#include <string_view>

namespace mailflow::idna {

// `text` is valid UTF-8 without controls. Errors: Error::syntax, Error::too_large.
[[nodiscard]] Result<std::string> to_a_labels(std::string_view text);
[[nodiscard]] Result<std::string> to_u_labels(std::string_view text);

}  // namespace mailflow::idna
