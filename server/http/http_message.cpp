#include "server/http/http_message.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/encoding.hpp"

#include <cstddef>
#include <optional>

namespace mailflow {

namespace {

constexpr std::size_t kMaxPathSegments = 16;
constexpr std::size_t kMaxQueryParameters = 64;

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            const auto byte = hex_decode(ascii::to_lower(text.substr(i + 1, 2)));
            if (!byte || byte->size() != 1) {
                return std::nullopt;
            }
            result += *byte;
            i += 2;
        } else {
            result += plus_is_blank && text[i] == '+' ? ' ' : text[i];
        }
    }
    return result;
}

bool parse_query(std::string_view text, std::map<std::string, std::string>& query) {
    for (const auto pair : ascii::split(text, '&')) {
        if (pair.empty()) {
            continue;
        }
        const auto equals = pair.find('=');
        const auto name = percent_decoded(pair.substr(0, equals), true);
        const auto value = percent_decoded(
            equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
        if (!name || !value || query.size() == kMaxQueryParameters) {
            return false;
        }
        query[*name] = *value;
    }
    return true;
}

}  // namespace

std::string HttpCaller::text() const {
    return "uid=" + std::to_string(uid) + " pid=" + std::to_string(pid);
}

std::string_view HttpRequest::parameter(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? std::string_view() : std::string_view(found->second);
}

bool parse_target(
    std::string_view target,
    std::vector<std::string>& path,
    std::map<std::string, std::string>& query) {
    const auto mark = target.find('?');
    if (mark != std::string_view::npos && !parse_query(target.substr(mark + 1), query)) {
        return false;
    }
    for (const auto segment : ascii::split(target.substr(0, mark), '/')) {
        if (segment.empty()) {
            continue;
        }
        auto decoded = percent_decoded(segment, false);
        if (!decoded || path.size() == kMaxPathSegments) {
            return false;
        }
        path.push_back(std::move(*decoded));
    }
    return true;
}

}  // namespace mailflow
