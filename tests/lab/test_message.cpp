#include "tests/lab/test_message.hpp"

#include "transport/base/ascii.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mailflow::lab {

namespace {

constexpr std::string_view kIdField = "X-Lab-Id:";
constexpr std::size_t kLineOctets = 76;

std::string head_mark(std::string_view id) {
    return fmt::format("lab-begin {}", id);
}

std::string tail_mark(std::string_view id) {
    return fmt::format("lab-end {}", id);
}

}  // namespace

std::string make_test_message(
    const std::string& id, const std::string& from, const std::string& to, std::size_t size) {
    std::string text = fmt::format(
        "From: <{}>\r\nTo: <{}>\r\nSubject: lab message {}\r\nDate: Thu, 01 Jan 2026 00:00:00 "
        "+0000\r\n"
        "Message-ID: <{}@lab.test>\r\n{} {}\r\n\r\n{}\r\n",
        from,
        to,
        id,
        id,
        kIdField,
        id,
        head_mark(id));
    const auto tail = tail_mark(id) + "\r\n";
    const auto wanted = size > tail.size() ? size - tail.size() : 0;
    constexpr std::string_view kDigits = "0123456789";
    while (text.size() + 2 < wanted) {
        const auto length = std::min(kLineOctets, wanted - text.size() - 2);
        for (std::size_t i = 0; i < length; ++i)
            text.push_back(kDigits[i % kDigits.size()]);
        text += "\r\n";
    }
    return text + tail;
}

std::optional<FoundMessage> find_test_message(std::string_view content) {
    FoundMessage found;
    std::string last;
    bool began = false;
    bool in_header = true;
    while (!content.empty()) {
        const auto end = std::min(content.find('\n'), content.size());
        auto line = content.substr(0, end);
        content.remove_prefix(std::min(content.size(), end + 1));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (in_header) {
            if (line.empty()) in_header = false;
            if (found.id.empty() && ascii::starts_with_ignoring_case(line, kIdField)) {
                found.id = ascii::trimmed(line.substr(kIdField.size()));
            }
            continue;
        }
        began = began || line == head_mark(found.id);
        if (!line.empty()) last = line;
    }
    if (found.id.empty()) return std::nullopt;
    found.whole = began && last == tail_mark(found.id);
    return found;
}

}  // namespace mailflow::lab
