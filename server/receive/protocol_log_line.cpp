#include "server/receive/protocol_log_line.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <vector>

namespace mailflow {

namespace {

constexpr std::size_t kFields = 9;

unsigned char octet(std::string_view text, std::size_t at) noexcept {
    return static_cast<unsigned char>(text[at]);
}

// RFC 3629 §4: octets of a character that begins with `first`; 0: none does.
std::size_t utf8_length(unsigned char first) noexcept {
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xc2 || first > 0xf4) {
        return 0;
    }
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

// Neither longer than need be, nor a surrogate, nor beyond Unicode.
bool is_second_octet(unsigned char first, unsigned char second) noexcept {
    const unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= least && second <= most;
}

// Octets of the character that begins at `at`; 0 when none does.
std::size_t character_length(std::string_view text, std::size_t at) noexcept {
    const auto length = utf8_length(octet(text, at));
    if (length > text.size() - at ||
        (length > 1 && !is_second_octet(octet(text, at), octet(text, at + 1)))) {
        return 0;
    }
    for (std::size_t i = 2; i < length; ++i) {
        if ((octet(text, at + i) & 0xc0U) != 0x80) {
            return 0;
        }
    }
    return length;
}

// What some reader might take for a line end or obey as a command to a terminal.
bool is_harmless(std::string_view character) noexcept {
    if (character.size() == 1) {
        return !ascii::is_control(character.front());
    }
    const bool c1 = octet(character, 0) == 0xc2 && octet(character, 1) < 0xa0;
    return !c1 && character != "\xe2\x80\xa8" && character != "\xe2\x80\xa9";
}

void append_escaped(std::string& line, std::string_view octets) {
    constexpr std::string_view kHex = "0123456789abcdef";
    for (const char c : octets) {
        const auto byte = static_cast<unsigned char>(c);
        line += "\\x";
        line += kHex[byte >> 4U];
        line += kHex[byte & 15U];
    }
}

bool is_plain(char c) noexcept {
    return c >= ' ' && c < 0x7f && c != '\\' && c != '"';
}

void append_text(std::string& line, std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        // Nearly all of it, at once.
        auto plain = at;
        while (plain < text.size() && is_plain(text[plain])) {
            ++plain;
        }
        line += text.substr(at, plain - at);
        at = plain;
        if (at == text.size()) {
            return;
        }
        const auto length = character_length(text, at);
        const auto character = text.substr(at, length == 0 ? 1 : length);
        at += character.size();
        if (length == 0 || !is_harmless(character)) {
            append_escaped(line, character);
        } else if (character == "\\") {
            line += "\\\\";
        } else if (character == "\"") {
            line += "\"\"";  // RFC 4180 §2.7
        } else {
            line += character;
        }
    }
}

// RFC 4180 §2; false when a quote stands where none may.
bool split_csv(std::string_view line, std::vector<std::string>& fields) {
    std::size_t at = 0;
    for (;;) {
        std::string field;
        if (at < line.size() && line[at] == '"') {
            ++at;
            for (;; ++at) {
                if (at >= line.size()) {
                    return false;
                }
                if (line[at] != '"') {
                    field += line[at];
                } else if (at + 1 < line.size() && line[at + 1] == '"') {
                    field += line[++at];
                } else {
                    break;
                }
            }
            ++at;
        } else {
            const auto end = std::min(line.find(',', at), line.size());
            field = line.substr(at, end - at);
            at = end;
        }
        fields.push_back(std::move(field));
        if (at >= line.size()) {
            return true;
        }
        if (line[at] != ',' || fields.size() == kFields) {
            return false;
        }
        ++at;
    }
}

}  // namespace

void append_csv_field(std::string& line, std::string_view text) {
    const auto shown = text.substr(0, kMaxProtocolLogData);
    const bool cut = shown.size() < text.size();
    const bool quoted = shown.find_first_of("\",") != std::string_view::npos;
    if (quoted) {
        line += '"';
    }
    append_text(line, shown);
    if (cut) {
        line += " [" + std::to_string(text.size() - shown.size()) + " octets more]";
    }
    if (quoted) {
        line += '"';
    }
}

std::optional<ProtocolLogLine> parse_protocol_log_line(std::string_view line) {
    if (line.empty() || line.front() == '#') {
        return std::nullopt;
    }
    std::vector<std::string> fields;
    fields.reserve(kFields);
    if (!split_csv(line, fields) || fields.size() != kFields) {
        return std::nullopt;
    }
    const auto sequence = ascii::parse_number(fields[3]);
    if (!sequence) {
        return std::nullopt;
    }
    return ProtocolLogLine{
        std::move(fields[0]),
        std::move(fields[1]),
        std::move(fields[2]),
        *sequence,
        std::move(fields[4]),
        std::move(fields[5]),
        std::move(fields[6]),
        std::move(fields[7]),
        std::move(fields[8])};
}

}  // namespace mailflow
