// How addresses and the words of other hosts stand in reports: RFC 6533 §3 forms, one line of
// US-ASCII, nothing that could form a line or a field. Pure. Shared by the parts of a report.
#pragma once

#include "transport/mail/dsn_report.hpp"

#include <string>
#include <string_view>

namespace mailflow {

// The report is internationalized: its parts are those of RFC 6533 and it travels with SMTPUTF8.
[[nodiscard]] bool needs_smtputf8(const DsnInput& input);

// RFC 6533 §3, utf-8-addr-xtext: characters outside US-ASCII, and those the form needs itself, as
// `\x{FC}`.
[[nodiscard]] std::string ascii_address(std::string_view address);

// Printable US-ASCII on one line, at most kMaxReportedWords octets: what is outside stands as
// `\x{FC}`, controls as `?`.
constexpr std::size_t kMaxReportedWords = 900;
[[nodiscard]] std::string printable(std::string_view text);

// As given, else the least that the action says.
[[nodiscard]] EnhancedStatus status_of(const DsnRecipient& recipient);

// `550 5.1.1 User unknown`: the remote's reply verbatim, or our own words in the same form.
[[nodiscard]] std::string reply_form(const DsnRecipient& recipient);

}  // namespace mailflow
