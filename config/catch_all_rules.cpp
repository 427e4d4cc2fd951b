#include "config/catch_all_rules.hpp"

#include "config/organization_loader.hpp"
#include "transport/base/ascii.hpp"

#include <boost/json/serialize.hpp>

#include <vector>

namespace mailflow {

namespace json = boost::json;

namespace {

constexpr std::string_view kAcceptedDomain = "accepted-domain";
constexpr std::string_view kCatchAll = "catch_all";

std::string catch_all_of(const json::object& domain) {
    const auto* value = domain.if_contains(kCatchAll);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

}  // namespace

ObjectEdits follow_recipient(
    const ObjectSet& objects, const std::string& name, const std::string& new_name) {
    ObjectEdits edits{objects.version, {}};
    for (const auto& record : objects.objects) {
        if (record.type != kAcceptedDomain) continue;
        std::vector<schema::Problem> ignored;
        auto document = read_document(record, ignored);
        if (!ascii::equal_ignoring_case(catch_all_of(document), name)) continue;
        document[kCatchAll] = new_name;
        edits.changes.push_back({record.type, record.name, json::serialize(document), {}});
    }
    return edits;
}

Task<ErrorCode> spell_catch_all(RecipientStore& recipients, json::object& domain) {
    const auto written = catch_all_of(domain);
    if (written.empty()) {
        co_return ErrorCode();
    }
    auto found = co_await recipients.find(written);
    const auto address = EmailAddress::parse(written);
    if (found && !*found && address) {
        found = co_await recipients.find_by_address(*address);
    }
    if (!found) {
        co_return found.error();
    }
    if (*found) {
        domain[kCatchAll] = (*found)->name;
    }
    co_return ErrorCode();
}

}  // namespace mailflow
