#include "transport/org/delivery_target.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/org/send_connector.hpp"

#include <algorithm>
#include <optional>

namespace mailflow {

namespace {

using Kind = DeliveryTarget::Kind;

constexpr std::string_view kMaildir = "maildir";
constexpr std::string_view kLmtp = "lmtp:";
constexpr std::string_view kSmtp = "smtp:";
constexpr std::string_view kUnix = "unix:";
constexpr std::uint64_t kMaxPort = 65535;
// sun_path of unix(7), with its final zero.
constexpr std::size_t kMaxSocketPath = 107;

// Tokens %m, %u, %d and %%; no part of the path leads upwards.
bool is_folder_template(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (ascii::is_control(text[i])) return false;
        if (text[i] != '%') continue;
        ++i;
        if (i == text.size() || std::string_view("mud%").find(text[i]) == std::string_view::npos) {
            return false;
        }
    }
    const auto parts = ascii::split(text, '/');
    return !text.empty() && std::none_of(parts.begin(), parts.end(), [](std::string_view part) {
        return part == "." || part == "..";
    });
}

// `host`, `host:port`, `[2001:db8::1]:port`; nothing when it is neither.
std::optional<std::string> canonical_host(std::string_view text, bool port_required) {
    const auto colon = text.rfind(':');
    const bool has_port = colon != std::string_view::npos && !text.ends_with(']');
    if (port_required && !has_port) {
        return std::nullopt;
    }
    const auto host = parse_smart_host(text.substr(0, has_port ? colon : text.size()));
    if (!host) {
        return std::nullopt;
    }
    if (!has_port) {
        return to_text(*host);
    }
    const auto port = ascii::parse_number(text.substr(colon + 1));
    if (!port || *port == 0 || *port > kMaxPort) {
        return std::nullopt;
    }
    return to_text(*host) + ":" + std::to_string(*port);
}

bool is_socket_path(std::string_view path) {
    return path.starts_with('/') && path.size() > 1 && path.size() <= kMaxSocketPath &&
           std::none_of(path.begin(), path.end(), ascii::is_control);
}

Result<DeliveryTarget> parse_lmtp(std::string_view text) {
    if (ascii::starts_with_ignoring_case(text, kUnix)) {
        const auto path = text.substr(kUnix.size());
        if (!is_socket_path(path)) {
            return Error::syntax;
        }
        return DeliveryTarget{Kind::lmtp, std::string(kUnix) + std::string(path)};
    }
    auto host = canonical_host(text, true);
    if (!host) {
        return Error::syntax;
    }
    return DeliveryTarget{Kind::lmtp, std::move(*host)};
}

}  // namespace

Result<DeliveryTarget> parse_delivery_target(std::string_view text) {
    text = ascii::trimmed(text);
    if (ascii::equal_ignoring_case(text, kMaildir)) {
        return DeliveryTarget{};
    }
    if (ascii::starts_with_ignoring_case(text, "maildir:")) {
        const auto folder = text.substr(kMaildir.size() + 1);
        if (!is_folder_template(folder)) {
            return Error::syntax;
        }
        return DeliveryTarget{Kind::maildir, std::string(folder)};
    }
    if (ascii::starts_with_ignoring_case(text, kLmtp)) {
        return parse_lmtp(text.substr(kLmtp.size()));
    }
    if (ascii::starts_with_ignoring_case(text, kSmtp)) {
        auto host = canonical_host(text.substr(kSmtp.size()), false);
        if (host) return DeliveryTarget{Kind::smtp, std::move(*host)};
    }
    return Error::syntax;
}

std::string to_text(const DeliveryTarget& target) {
    switch (target.kind) {
        case Kind::maildir:
            return std::string(kMaildir) + (target.place.empty() ? "" : ":") + target.place;
        case Kind::lmtp: return std::string(kLmtp) + target.place;
        case Kind::smtp: return std::string(kSmtp) + target.place;
    }
    return {};
}

}  // namespace mailflow
