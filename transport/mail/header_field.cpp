#include "transport/mail/header_field.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::size_t kWishedLine = 78;  // RFC 5322 §2.1.1
// Where the colon stands at the latest: a longer line is text, whoever reads it and however much of
// it he kept.
constexpr std::size_t kMaxName = 998;

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// Octets of the line at the front of `text` with its line end.
std::size_t line_length(std::string_view text) {
    const auto end = text.find('\n');
    return end == std::string_view::npos ? text.size() : end + 1;
}

std::string_view without_line_end(std::string_view line) {
    if (line.ends_with('\n')) {
        line.remove_suffix(1);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
    }
    return line;
}

// Octets of the field at the front of `text`: its line and the continuation lines. RFC 5322 §2.2.3.
std::size_t field_length(std::string_view text) {
    auto length = line_length(text);
    while (length < text.size() && is_blank(text[length])) {
        length += line_length(text.substr(length));
    }
    return length;
}

// Where to break `rest` so that its first part keeps to `room` characters: before a blank that
// something follows, and never so that a line of blanks only would stand alone. npos: nowhere.
std::size_t break_before(std::string_view rest, std::size_t room) {
    auto best = std::string_view::npos;
    bool seen_text = false;
    const auto last_text = ascii::trimmed(rest).empty() ? 0 : rest.find_last_not_of(" \t");
    for (std::size_t i = 0; i < last_text; ++i) {
        if (is_blank(rest[i]) && seen_text) {
            if (i > room) {
                return best == std::string_view::npos ? i : best;
            }
            best = i;
        }
        seen_text = seen_text || !is_blank(rest[i]);
    }
    return best;
}

}  // namespace

std::string HeaderField::value() const {
    return std::string(ascii::trimmed(unfold(folded)));
}

bool HeaderField::is(std::string_view wanted) const noexcept {
    return ascii::equal_ignoring_case(name, wanted);
}

Result<HeaderField> HeaderField::parse(std::string_view raw) {
    const auto found = field_name(raw.substr(0, line_length(raw)));
    if (!found || field_length(raw) != raw.size()) {
        return Error::syntax;
    }
    return HeaderField{*found, raw, without_line_end(raw.substr(raw.find(':') + 1))};
}

std::optional<std::string_view> field_name(std::string_view line) noexcept {
    const auto colon = line.substr(0, kMaxName + 1).find(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    auto name = line.substr(0, colon);
    const auto last = name.find_last_not_of(" \t");
    name = name.substr(0, last == std::string_view::npos ? 0 : last + 1);
    const bool printable = std::all_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
    });
    return printable && !name.empty() ? std::optional(name) : std::nullopt;
}

std::string unfold(std::string_view folded) {
    std::string text;
    text.reserve(folded.size());
    while (!folded.empty()) {
        const auto length = line_length(folded);
        const bool ends = folded[length - 1] == '\n';
        text += without_line_end(folded.substr(0, length));
        folded.remove_prefix(length);
        if (ends && !folded.empty() && !is_blank(folded.front())) {
            text += ' ';
        }
    }
    std::replace(text.begin(), text.end(), '\r', ' ');
    return text;
}

std::optional<std::string_view> after_cfws(std::string_view text) noexcept {
    std::size_t depth = 0;
    std::size_t at = 0;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '(') {
            ++depth;
        } else if (depth == 0 && !is_blank(c) && c != '\r' && c != '\n') {
            break;
        } else if (c == ')' && depth > 0) {
            --depth;
        } else if (c == '\\') {
            ++at;  // quoted-pair
        }
    }
    return depth == 0 ? std::optional(text.substr(std::min(at, text.size()))) : std::nullopt;
}

std::string fold(std::string_view name, std::string_view value) {
    std::string flat(value);
    std::replace(flat.begin(), flat.end(), '\r', ' ');
    std::replace(flat.begin(), flat.end(), '\n', ' ');
    std::string_view rest = ascii::trimmed(flat);
    std::string text = std::string(name) + ": ";
    std::size_t used = text.size();
    while (used + rest.size() > kWishedLine) {
        const auto end = break_before(rest, kWishedLine - std::min(used, kWishedLine));
        if (end == std::string_view::npos) {
            break;
        }
        text += rest.substr(0, end);
        text += "\r\n";
        rest.remove_prefix(end);
        used = 0;
    }
    text += rest;
    return text + "\r\n";
}

void HeaderBlock::Iterator::advance() {
    field_ = HeaderField();
    if (rest_.empty()) {
        return;
    }
    const auto found = HeaderField::parse(rest_.substr(0, field_length(rest_)));
    if (found) {
        field_ = *found;
        rest_.remove_prefix(field_.raw.size());
    }
}

std::size_t HeaderBlock::size() const noexcept {
    std::size_t total = 0;
    for (const auto& field : *this) {
        total += field.raw.size();
    }
    return total;
}

std::optional<HeaderField> HeaderBlock::find(std::string_view name) const {
    for (const auto& field : *this) {
        if (field.is(name)) {
            return field;
        }
    }
    return std::nullopt;
}

}  // namespace mailflow
