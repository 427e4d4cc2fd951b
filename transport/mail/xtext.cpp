#include "transport/mail/xtext.hpp"

#include "transport/base/error.hpp"
#include "transport/mail/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace mailflow {

namespace {

constexpr std::uint32_t kFirstNonAscii = 0x80;
constexpr std::uint32_t kLastC1 = 0x9f;

// RFC 3461 §4: xchar = "!" … "~" without "+" and "=".
bool is_xchar(char c) noexcept {
    return c > ' ' && c <= '~' && c != '+' && c != '=';
}

// RFC 6533 §3: QCHAR has no "\" either.
bool is_qchar(char c) noexcept {
    return is_xchar(c) && c != '\\';
}

// Both RFCs: hexadecimal digits in upper case only.
std::optional<std::uint32_t> hex_value(std::string_view digits) noexcept {
    std::uint32_t value = 0;
    for (const char c : digits) {
        if (c >= '0' && c <= '9') {
            value = value * 16 + static_cast<std::uint32_t>(c - '0');
        } else if (c >= 'A' && c <= 'F') {
            value = value * 16 + static_cast<std::uint32_t>(c - 'A' + 10);
        } else {
            return std::nullopt;
        }
    }
    return value;
}

bool is_control(std::uint32_t point) noexcept {
    return point < ' ' || (point >= 0x7f && point <= kLastC1);
}

// Attack cases 26 and 27: nothing decoded can end a line or fool a terminal.
Result<std::string> checked(std::string text) {
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto length = utf8::sequence_length(rest);
        if (length == 0 || is_control(utf8::code_point(rest.substr(0, length)))) {
            return Error::syntax;
        }
        rest.remove_prefix(length);
    }
    return text;
}

void append_utf8(std::string& out, std::uint32_t point) {
    const auto tail = [&out](std::uint32_t bits) {
        out += static_cast<char>(0x80U | (bits & 0x3fU));
    };
    if (point < kFirstNonAscii) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += static_cast<char>(0xc0U | point >> 6U);
        tail(point);
    } else if (point < 0x10000) {
        out += static_cast<char>(0xe0U | point >> 12U);
        tail(point >> 6U);
        tail(point);
    } else {
        out += static_cast<char>(0xf0U | point >> 18U);
        tail(point >> 12U);
        tail(point >> 6U);
        tail(point);
    }
}

// HEXPOINT: no leading zero; of ASCII only what cannot stand for itself. Controls, which the RFC
// would let through, surrogates and what is beyond Unicode are refused.
std::optional<std::uint32_t> hex_point(std::string_view digits) noexcept {
    constexpr std::size_t kMaxDigits = 6;
    if (digits.size() < 2 || digits.size() > kMaxDigits || digits.front() == '0') {
        return std::nullopt;
    }
    const auto point = hex_value(digits);
    if (!point || *point > 0x10ffff || (*point >= 0xd800 && *point <= 0xdfff)) {
        return std::nullopt;
    }
    const bool special = *point == ' ' || *point == '+' || *point == '=' || *point == '\\';
    return *point >= kFirstNonAscii || special ? point : std::nullopt;
}

std::string encode_points(std::string_view text, bool ascii) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto length = std::max<std::size_t>(utf8::sequence_length(text), 1);
        const auto sequence = text.substr(0, length);
        if (is_qchar(text.front()) || (length > 1 && !ascii)) {
            out += sequence;
        } else {
            out += fmt::format("\\x{{{:02X}}}", utf8::code_point(sequence));
        }
        text.remove_prefix(length);
    }
    return out;
}

}  // namespace

// xtext = *( xchar / hexchar )
// hexchar = "+" immediately followed by two upper case hexadecimal digits
Result<std::string> decode_xtext(std::string_view text) {
    constexpr std::size_t kDigits = 2;
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_xchar(text[i])) {
            out += text[i];
            continue;
        }
        const auto digits = text.substr(i + 1, kDigits);
        const auto octet = hex_value(digits);
        if (text[i] != '+' || digits.size() != kDigits || !octet) {
            return Error::syntax;
        }
        out += static_cast<char>(*octet);
        i += kDigits;
    }
    return checked(std::move(out));
}

std::string encode_xtext(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (is_xchar(c)) {
            out += c;
        } else {
            out += fmt::format("+{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

// utf-8-addr-xtext   = 1*(QCHAR / EmbeddedUnicodeChar)
// utf-8-addr-unitext = 1*(QUCHAR / EmbeddedUnicodeChar)
// EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"
Result<std::string> decode_unitext(std::string_view text) {
    constexpr std::string_view kOpen = "\\x{";
    if (text.empty()) {
        return Error::syntax;
    }
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        if (text.starts_with(kOpen)) {
            const auto end = text.find('}');
            if (end == std::string_view::npos) {
                return Error::syntax;
            }
            const auto point = hex_point(text.substr(kOpen.size(), end - kOpen.size()));
            if (!point) {
                return Error::syntax;
            }
            append_utf8(out, *point);
            text.remove_prefix(end + 1);
        } else if (
            is_qchar(text.front()) || static_cast<unsigned char>(text.front()) >= kFirstNonAscii) {
            out += text.front();
            text.remove_prefix(1);
        } else {
            return Error::syntax;
        }
    }
    return checked(std::move(out));
}

std::string encode_unitext(std::string_view text) {
    return encode_points(text, false);
}

std::string encode_unitext_ascii(std::string_view text) {
    return encode_points(text, true);
}

}  // namespace mailflow
