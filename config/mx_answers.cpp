#include "config/mx_answers.hpp"

#include "config/domain_rules.hpp"
#include "transport/base/ascii.hpp"

#include <algorithm>
#include <cstddef>

namespace mailflow {

using schema::Problem;

namespace {

constexpr int kPublishedPreference = 10;
// Look-ups one change waits for, each with its own limit.
constexpr std::size_t kMaxLookups = 3;

bool is_node(const MxRecord& record, const NodeSettings& node) {
    return ascii::equal_ignoring_case(record.exchange, node.fqdn);
}

std::vector<MxRecord> by_preference(std::vector<MxRecord> records) {
    std::sort(records.begin(), records.end(), [](const MxRecord& a, const MxRecord& b) {
        return a.preference != b.preference ? a.preference < b.preference : a.exchange < b.exchange;
    });
    return records;
}

// RFC 5321 §5.1: only hosts preferred to ourselves are tried; when we come first there is none.
bool leads_back(const DnsAnswer<MxRecord>& answer, const NodeSettings& node) {
    const auto& records = answer.records;
    const auto own = std::find_if(records.begin(), records.end(), [&node](const MxRecord& record) {
        return is_node(record, node);
    });
    return own != records.end() &&
           std::none_of(records.begin(), records.end(), [&own](const MxRecord& record) {
               return record.preference < own->preference;
           });
}

bool was_so(const Organization::Parts& before, const AcceptedDomain& domain) {
    const auto& domains = before.accepted_domains;
    return std::any_of(domains.begin(), domains.end(), [&](const AcceptedDomain& other) {
        return to_text(other) == to_text(domain) && sole_mx_connector(before, other) != nullptr;
    });
}

}  // namespace

std::vector<std::string> mx_records_to_publish(
    const AcceptedDomain& domain, const NodeSettings& node) {
    const auto tail =
        ". IN MX " + std::to_string(kPublishedPreference) + " " + ascii::to_lower(node.fqdn) + ".";
    std::vector<std::string> records = {domain.domain.text() + tail};
    if (domain.include_subdomains) {
        records.push_back("*." + domain.domain.text() + tail);
    }
    return records;
}

const char* to_text(MxPublication publication) noexcept {
    switch (publication) {
        case MxPublication::published: return "published";
        case MxPublication::missing: return "missing";
        case MxPublication::elsewhere: return "elsewhere";
        case MxPublication::unknown: return "unknown";
    }
    return "";
}

MxPublication publication_of(const DnsAnswer<MxRecord>& answer, const NodeSettings& node) {
    if (answer.status == DnsStatus::temporary) {
        return MxPublication::unknown;
    }
    if (answer.records.empty()) {
        return MxPublication::missing;
    }
    const auto own =
        std::any_of(answer.records.begin(), answer.records.end(), [&node](const MxRecord& record) {
            return is_node(record, node);
        });
    return own ? MxPublication::published : MxPublication::elsewhere;
}

std::vector<std::string> mx_texts(const DnsAnswer<MxRecord>& answer) {
    std::vector<std::string> texts;
    for (const auto& record : by_preference(answer.records)) {
        texts.push_back(
            std::to_string(record.preference) + " " +
            (record.exchange.empty() ? "." : record.exchange));
    }
    return texts;
}

Task<std::vector<Problem>> find_relay_loops(
    FindMx find_mx, const Organization::Parts& before, const Organization::Parts& next) {
    std::vector<Problem> problems;
    std::size_t asked = 0;
    for (const auto& domain : next.accepted_domains) {
        const auto* connector = sole_mx_connector(next, domain);
        if (!find_mx || connector == nullptr || was_so(before, domain)) {
            continue;
        }
        if (++asked > kMaxLookups) {
            break;
        }
        const auto answer = co_await find_mx(domain.domain);
        if (leads_back(answer, next.node)) {
            problems.push_back(
                {title_of(domain),
                 "type",
                 "mail for recipients unknown here would come back: only send-connector \"" +
                     connector->name + "\" takes it, by MX, and the MX of " + domain.domain.text() +
                     " is this node; send it to the other system first, " + "with " +
                     smart_host_command(domain)});
        }
    }
    co_return problems;
}

}  // namespace mailflow
