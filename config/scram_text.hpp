// The verifier of a password as one word, for exports that carry secrets:
// `SCRAM-SHA-256$4096:SALT$STORED:SERVER`, in base64 (as PostgreSQL writes it). Pure.
#pragma once

#include "transport/base/result.hpp"
#include "transport/org/scram_verifier.hpp"

#include <string>
#include <string_view>

namespace mailflow {

[[nodiscard]] std::string scram_text(const ScramVerifier& verifier);
// Error::syntax.
[[nodiscard]] Result<ScramVerifier> parse_scram(std::string_view text);

}  // namespace mailflow
