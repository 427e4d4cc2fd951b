#include "transport/org/next_hop.hpp"

#include "transport/base/error.hpp"

#include <array>
#include <string_view>

namespace mailflow {

namespace {

// In the order of the enumeration.
constexpr std::array<const char*, 8> kTypeNames = {
    "mailbox",
    "dns",
    "smart-host",
    "unreachable",
    "future-release",
    "lmtp",
    "smtp-host",
    "other-node"};

Result<DeliveryType> parse_type(std::string_view text) {
    for (std::size_t i = 0; i < kTypeNames.size(); ++i) {
        if (text == kTypeNames[i]) {
            return static_cast<DeliveryType>(i);
        }
    }
    return Error::syntax;
}

// Each type fills what it needs and nothing else, so equal hops have equal keys.
bool is_complete(const NextHop& hop) {
    const bool uses_connector = hop.type == DeliveryType::dns ||
                                hop.type == DeliveryType::smart_host ||
                                hop.type == DeliveryType::other_node;
    return !hop.domain.empty() && uses_connector != hop.connector.empty();
}

}  // namespace

const char* to_text(DeliveryType type) noexcept {
    return kTypeNames[static_cast<std::size_t>(type)];
}

std::string NextHop::key() const {
    std::string key = to_text(type);
    if (type == DeliveryType::unreachable || type == DeliveryType::future_release) {
        return key + "||";
    }
    key.append("|").append(domain).append("|").append(connector);
    return key;
}

Result<NextHop> NextHop::parse(const std::string& key) {
    const auto first = key.find('|');
    const auto second = first == std::string::npos ? first : key.find('|', first + 1);
    if (second == std::string::npos) {
        return Error::syntax;
    }
    const auto type = parse_type(std::string_view(key).substr(0, first));
    if (!type) {
        return type.error();
    }
    for (const auto& room : {unreachable(), future_release()}) {
        if (*type == room.type) {
            return key == room.key() ? Result<NextHop>(room) : Error::syntax;
        }
    }
    NextHop hop{*type, key.substr(first + 1, second - first - 1), key.substr(second + 1)};
    if (!is_complete(hop)) {
        return Error::syntax;
    }
    return hop;
}

NextHop NextHop::unreachable() {
    return {DeliveryType::unreachable, "Unreachable", {}};
}

NextHop NextHop::future_release() {
    return {DeliveryType::future_release, "Released later", {}};
}

}  // namespace mailflow

std::size_t std::hash<mailflow::NextHop>::operator()(const mailflow::NextHop& hop) const noexcept {
    constexpr std::size_t kMix = 0x9e3779b97f4a7c15ULL;
    auto value = static_cast<std::size_t>(hop.type);
    for (const auto* part : {&hop.domain, &hop.connector}) {
        value = (value ^ std::hash<std::string>{}(*part)) * kMix;
    }
    return value;
}
