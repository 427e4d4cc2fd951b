// The ESMTP parameters behind the path of MAIL and RCPT: grammar of each by its own RFC, none
// twice. Part of the command parser; whether the session offers what a parameter belongs to is
// asked by ReceiveProtocol. Pure.
#pragma once

#include "transport/smtp/command_parser.hpp"

#include <optional>
#include <string_view>

namespace mailflow::smtp {

// Blank-separated `keyword[=value]`, taken into the command; or the reply that refuses the first
// bad one: 501 5.5.4, or 555 5.5.4 for a keyword nobody knows.
[[nodiscard]] std::optional<Reply> parse_parameters(std::string_view text, Mail& mail);
[[nodiscard]] std::optional<Reply> parse_parameters(std::string_view text, Rcpt& rcpt);

// RFC 5321 §4.1.1.11: what was not announced is 555.
[[nodiscard]] Reply unsupported_parameter();
// 501 5.5.4
[[nodiscard]] Reply invalid_arguments();

}  // namespace mailflow::smtp
