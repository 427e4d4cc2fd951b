#include "server/http/https_url.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>

namespace mailflow {

namespace {

bool is_url_octet(char c) {
    return c > 0x20 && c < 0x7f &&
           std::string_view("\"<>\\^`{|}#").find(c) == std::string_view::npos;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    const auto number = ascii::parse_number(text);
    if (!number || *number == 0 || *number > 65535) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(*number);
}

// `[::1]` and `192.0.2.1` are addresses, everything else is a name.
bool parse_host(std::string_view text, HttpsUrl& into) {
    const bool is_bracketed = text.starts_with('[') && text.ends_with(']');
    if (is_bracketed) {
        text = text.substr(1, text.size() - 2);
    }
    if (const auto address = IpAddress::parse(text)) {
        into.host = *address;
        return address->is_v4() != is_bracketed;
    }
    const auto name = DomainName::parse(text);
    if (is_bracketed || !name) {
        return false;
    }
    into.host = *name;
    return true;
}

}  // namespace

std::string HttpsUrl::host_text() const {
    if (const auto* const address = std::get_if<IpAddress>(&host)) {
        return address->text();
    }
    return std::get<DomainName>(host).text();
}

std::string HttpsUrl::authority() const {
    const auto* const address = std::get_if<IpAddress>(&host);
    auto text = host_text();
    if (address != nullptr && !address->is_v4()) {
        text = "[" + text + "]";
    }
    return port == 443 ? text : text + ":" + std::to_string(port);
}

// RFC 3986 §3
std::optional<HttpsUrl> parse_https_url(std::string_view text) {
    constexpr std::string_view kScheme = "https://";
    if (text.size() > kMaxHttpsUrl || !ascii::starts_with_ignoring_case(text, kScheme) ||
        !std::all_of(text.begin(), text.end(), is_url_octet)) {
        return std::nullopt;
    }
    text.remove_prefix(kScheme.size());
    const auto end = std::min(text.find_first_of("/?"), text.size());
    auto authority = text.substr(0, end);
    HttpsUrl url{IpAddress(), 443, std::string(text.substr(end))};
    if (!url.target.starts_with('/')) {
        url.target.insert(0, "/");
    }
    const auto colon = authority.rfind(':');
    if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
        const auto port = parse_port(authority.substr(colon + 1));
        if (!port) {
            return std::nullopt;
        }
        url.port = *port;
        authority = authority.substr(0, colon);
    }
    if (!parse_host(authority, url)) {
        return std::nullopt;
    }
    return url;
}

}  // namespace mailflow
