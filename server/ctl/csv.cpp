#include "server/ctl/csv.hpp"

#include "server/ctl/client.hpp"
#include "transport/base/ascii.hpp"

#include <streambuf>

namespace mailflow::ctl {

namespace {

constexpr int kEnd = std::char_traits<char>::eof();
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Octets that follow the first of a character; -1: no character begins so.
int following(unsigned char first) noexcept {
    if (first < 0x80) return 0;
    if (first >= 0xC2 && first <= 0xDF) return 1;
    if (first >= 0xE0 && first <= 0xEF) return 2;
    if (first >= 0xF0 && first <= 0xF4) return 3;
    return -1;
}

}  // namespace

int CsvReader::get() {
    return in_.rdbuf()->sbumpc();
}

void CsvReader::fail(std::string_view what) const {
    throw Failure("row " + std::to_string(number_) + ": " + std::string(what));
}

void CsvReader::add(std::string& field, int octet) {
    if (field.size() == kMaxCsvField || ++size_ > kMaxCsvRecord) {
        fail("is too large: a field has at most 8 MB, a row 12 MB");
    }
    field.push_back(static_cast<char>(octet));
}

// RFC 4180 §2.5–2.7: what stands between quotes, a doubled quote for one.
void CsvReader::read_quoted(std::string& field) {
    for (;;) {
        const auto c = get();
        if (c == kEnd) {
            fail("a quoted field has no closing quote");
        }
        if (c != '"') {
            add(field, c);
            continue;
        }
        if (in_.rdbuf()->sgetc() != '"') {
            return;
        }
        add(field, get());
    }
}

bool CsvReader::next(std::vector<std::string>& fields) {
    fields.clear();
    size_ = 0;
    ++number_;
    std::string field;
    bool quoted = false;
    for (;;) {
        const auto c = get();
        const bool ends = c == kEnd || c == '\n';
        if (c == ',' || ends) {
            if (ends && !quoted && field.ends_with('\r')) field.pop_back();
            if (number_ == 1 && fields.empty() && field.starts_with(kByteOrderMark)) {
                field.erase(0, kByteOrderMark.size());
            }
            const bool empty_line = ends && fields.empty() && field.empty() && !quoted;
            if (empty_line && c == kEnd) return false;
            if (empty_line) continue;
            if (fields.size() == kMaxCsvFields) fail("has more than 256 fields");
            fields.push_back(std::move(field));
            field.clear();
            quoted = false;
            if (ends) return true;
        } else if (c == '"' && !quoted && (field.empty() || field == kByteOrderMark)) {
            field.clear();
            read_quoted(field);
            quoted = true;
        } else if (quoted && c != '\r') {
            fail("there is something behind the closing quote of a field");
        } else if (!quoted) {
            add(field, c);
        }
    }
}

std::string csv_field(std::string_view text) {
    const bool blank = !text.empty() && (text.front() == ' ' || text.back() == ' ');
    if (!blank && text.find_first_of(",\"\r\n") == std::string_view::npos) {
        return std::string(text);
    }
    std::string quoted = "\"";
    for (const char c : text) {
        quoted += c;
        if (c == '"') quoted += '"';
    }
    return quoted + '"';
}

std::string joined_list(const std::vector<std::string>& elements) {
    std::string text;
    for (const auto& element : elements) {
        if (!text.empty()) text += ';';
        for (const char c : element) {
            if (c == ';' || c == '\\') text += '\\';
            text += c;
        }
    }
    return text;
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> elements;
    std::string element;
    const auto finish = [&] {
        const auto trimmed = ascii::trimmed(element);
        if (!trimmed.empty()) elements.emplace_back(trimmed);
        element.clear();
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ';') {
            finish();
        } else if (text[i] == '\\' && i + 1 < text.size()) {
            element += text[++i];
        } else {
            element += text[i];
        }
    }
    finish();
    return elements;
}

bool is_utf8(std::string_view text) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto first = static_cast<unsigned char>(text[i]);
        const auto count = following(first);
        if (count < 0 || text.size() - i <= static_cast<std::size_t>(count)) {
            return false;
        }
        for (int n = 1; n <= count; ++n) {
            const auto octet = static_cast<unsigned char>(text[i + static_cast<std::size_t>(n)]);
            // No surrogates, nothing written longer than it must be, nothing over U+10FFFF.
            const bool second = n == 1;
            const unsigned char lowest = second && first == 0xE0   ? 0xA0
                                         : second && first == 0xF0 ? 0x90
                                                                   : 0x80;
            const unsigned char highest = second && first == 0xED   ? 0x9F
                                          : second && first == 0xF4 ? 0x8F
                                                                    : 0xBF;
            if (octet < lowest || octet > highest) return false;
        }
        i += static_cast<std::size_t>(count);
    }
    return true;
}

}  // namespace mailflow::ctl
