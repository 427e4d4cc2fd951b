#include "server/admin/mx_view.hpp"

#include <boost/json/array.hpp>

#include <string_view>
#include <vector>

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr std::string_view kWildcard = "*.";

// As much of it as the records need.
AcceptedDomain domain_of(const json::object& shown) {
    const std::string_view written = shown.at("domain").as_string();
    const bool wildcard = written.starts_with(kWildcard);
    return {
        .name = {},
        .domain = DomainName::parse(written.substr(wildcard ? kWildcard.size() : 0)).value(),
        .include_subdomains = wildcard};
}

json::array array_of(const std::vector<std::string>& texts) {
    json::array array;
    for (const auto& text : texts)
        array.emplace_back(text);
    return array;
}

}  // namespace

void add_mx_records(const NodeSettings& node, json::object& shown) {
    shown["mx_records"] = array_of(mx_records_to_publish(domain_of(shown), node));
}

Task<json::object> with_mx_status(NodeSettings node, FindMx find_mx, json::object shown) {
    add_mx_records(node, shown);
    DnsAnswer<MxRecord> answer;
    if (find_mx) {
        answer = co_await find_mx(domain_of(shown).domain);
    }
    shown["mx_status"] = to_text(publication_of(answer, node));
    shown["mx_found"] = array_of(mx_texts(answer));
    co_return shown;
}

}  // namespace mailflow
