#include "config/recipient_addresses.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr std::string_view kPrimary = "SMTP:";
constexpr std::string_view kProxy = "smtp:";

json::array as_list(const json::value* value) {
    if (value == nullptr || value->is_null()) return {};
    if (const auto* array = value->if_array()) return *array;
    return {*value};
}

std::string marked(std::string_view mark, const json::value& proxy) {
    return std::string(mark) + std::string(bare_address(proxy.get_string()));
}

}  // namespace

std::string_view bare_address(std::string_view proxy) {
    return ascii::starts_with_ignoring_case(proxy, kProxy) ? proxy.substr(kProxy.size()) : proxy;
}

bool is_primary(const json::value& proxy) {
    return proxy.is_string() && std::string_view(proxy.get_string()).starts_with(kPrimary);
}

bool is_same_address(const json::value& a, const json::value& b) {
    return a.is_string() && b.is_string() &&
           ascii::equal_ignoring_case(bare_address(a.get_string()), bare_address(b.get_string()));
}

bool order_addresses(json::array& addresses) {
    if (std::count_if(addresses.begin(), addresses.end(), is_primary) > 1) {
        return false;
    }
    const auto primary = std::find_if(addresses.begin(), addresses.end(), is_primary);
    if (primary != addresses.end()) {
        std::rotate(addresses.begin(), primary, primary + 1);
    } else if (!addresses.empty() && addresses.front().is_string()) {
        addresses.front() = marked(kPrimary, addresses.front());
    }
    return true;
}

void mark_primary(json::array& addresses, std::string_view primary) {
    if (std::any_of(addresses.begin(), addresses.end(), is_primary)) {
        return;
    }
    const json::value wanted(primary);
    for (auto& address : addresses) {
        if (is_same_address(address, wanted)) address = marked(kPrimary, address);
    }
}

bool names_primary(const json::value& given) {
    const auto list = as_list(&given);
    if (list.empty() || !list.front().is_string()) {
        return false;
    }
    const auto first = ascii::trimmed(list.front().get_string());
    return std::any_of(list.begin(), list.end(), is_primary) ||
           (!first.empty() && !ascii::starts_with_ignoring_case(first, kProxy));
}

void move_primary(json::object& document, const json::object& edit) {
    const auto added = as_list(edit.if_contains("add_addresses"));
    const auto primary = std::find_if(added.begin(), added.end(), is_primary);
    if (primary == added.end()) {
        return;
    }
    json::array kept;
    for (const auto& address : document.at("addresses").as_array()) {
        if (!is_same_address(address, *primary)) kept.emplace_back(marked(kProxy, address));
    }
    document["addresses"] = std::move(kept);
}

}  // namespace mailflow
