// Dates as text: RFC 5322 §3.3 for header fields and reports, ISO 8601 (RFC 3339) for people, logs
// and the admin API. Pure. Written always in UTC; read in any zone.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/base/result.hpp"

#include <string>
#include <string_view>

namespace mailflow {

// `Mon, 23 Nov 2026 08:40:16 +0000`: whole seconds.
[[nodiscard]] std::string to_rfc5322(UtcTime time);
// `2026-11-23T08:40:16.123Z`.
[[nodiscard]] std::string to_iso8601(UtcTime time);
// `2026-11-23T08:40:16Z`: RFC 3339 §5.6 without a fraction, for the wire (RFC 4865 §3).
[[nodiscard]] std::string to_rfc3339(UtcTime time);

// Also the obsolete forms of RFC 5322 §4.3: two-digit years, named zones, comments. The day's name
// is not compared.
[[nodiscard]] Result<UtcTime> parse_rfc5322(std::string_view text);
// `2026-11-23T08:40:16`, then a fraction or none, then `Z` or an offset `+01:00`.
[[nodiscard]] Result<UtcTime> parse_iso8601(std::string_view text);

}  // namespace mailflow
