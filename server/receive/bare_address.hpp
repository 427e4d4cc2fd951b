// RFC 6409 §8, by reference 2.8 DefaultDomain: what a submission client says without a domain,
// `RCPT TO:<bob>`, is completed with the connector's before the command is parsed. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

// The command line with `@domain` behind the local part of its path; nothing when the line is no
// MAIL or RCPT, or its path needs none: it has a domain, is empty, or is the bare postmaster of
// RCPT (RFC 5321 §4.1.1.3).
[[nodiscard]] std::optional<std::string> complete_bare_address(
    std::string_view line, std::string_view domain);

}  // namespace mailflow
