#include "server/receive/bare_address.hpp"

#include "transport/base/ascii.hpp"

namespace mailflow {

namespace {

bool starts_with(std::string_view line, std::string_view verb) noexcept {
    return ascii::equal_ignoring_case(line.substr(0, verb.size()), verb);
}

// Where the path ends: the first `>` outside quotes. Also tells of an `@` outside quotes.
struct PathEnd {
    std::size_t at = std::string_view::npos;
    bool has_domain = false;
};

PathEnd find_end(std::string_view line, std::size_t begin) noexcept {
    PathEnd end;
    bool quoted = false;
    for (std::size_t i = begin; i < line.size(); ++i) {
        const char c = line[i];
        if (quoted && c == '\\') {
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '@') {
            end.has_domain = true;
        } else if (!quoted && c == '>') {
            end.at = i;
            return end;
        }
    }
    return end;
}

}  // namespace

std::optional<std::string> complete_bare_address(std::string_view line, std::string_view domain) {
    const bool is_rcpt = starts_with(line, "RCPT TO:");
    if (!is_rcpt && !starts_with(line, "MAIL FROM:")) {
        return std::nullopt;
    }
    const auto open = line.find('<');
    if (open == std::string_view::npos) {
        return std::nullopt;
    }
    const auto end = find_end(line, open + 1);
    if (end.at == std::string_view::npos || end.has_domain || end.at == open + 1) {
        return std::nullopt;
    }
    const auto local = line.substr(open + 1, end.at - open - 1);
    if (is_rcpt && ascii::equal_ignoring_case(local, "postmaster")) {
        return std::nullopt;
    }
    std::string completed(line.substr(0, end.at));
    completed.append("@").append(domain).append(line.substr(end.at));
    return completed;
}

}  // namespace mailflow
