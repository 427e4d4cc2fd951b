// One line of the protocol log as text (reference 12.2): CSV as RFC 4180, with nothing in a field
// that could end a line or a field (attack case 27). Written by ProtocolLogSession, read again for
// `smtpctl log tail`. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailflow {

constexpr std::string_view kProtocolLogFields =
    "date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,"
    "context";

// Octets of one field, before escaping; what is longer is cut and says so.
constexpr std::size_t kMaxProtocolLogData = 4096;

// A field's values are unquoted, but their octets still escaped.
struct ProtocolLogLine {
    std::string date_time;
    std::string connector;
    std::string session;
    std::uint64_t sequence = 0;
    std::string local;
    std::string remote;
    std::string event;
    std::string data;
    std::string context;
};

// Appends `text` as one field, in quotes when it needs them. Control octets (C0, DEL, C1, the line
// and paragraph separators of Unicode) and octets that are no UTF-8 become \xNN, a backslash \\.
void append_csv_field(std::string& line, std::string_view text);

// None when it is no line of ours: a `#` line, or one torn by a crash.
[[nodiscard]] std::optional<ProtocolLogLine> parse_protocol_log_line(std::string_view line);

}  // namespace mailflow
