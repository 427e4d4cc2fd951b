#include "transport/route/connector_selection.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>

namespace mailflow {

namespace {

// What counts about one connector for one recipient.
struct Rated {
    const SendConnector* connector = nullptr;
    const AddressSpace* space = nullptr;  // the best one that matches, null when none does
    int distance = 0;  // of the nearest source server: this node, its site, elsewhere
};

constexpr int kHere = 0;
constexpr int kInSite = 1;
constexpr int kElsewhere = 2;

// A node that nobody knows is in no site.
int distance_of(const SendConnector& connector, const Organization& organization) noexcept {
    if (is_source(connector, organization.node())) {
        return kHere;
    }
    const auto& servers = connector.source_servers;
    const bool in_site =
        std::any_of(servers.begin(), servers.end(), [&organization](const std::string& server) {
            const auto* site = organization.find_site(server);
            return site != nullptr && *site == organization.node().site;
        });
    return in_site ? kInSite : kElsewhere;
}

const AddressSpace* best_space(const SendConnector& connector, std::string_view domain) noexcept {
    const AddressSpace* best = nullptr;
    for (const auto& space : connector.address_spaces) {
        if (!space.matches(domain)) {
            continue;
        }
        const bool better =
            best == nullptr || space.specificity() > best->specificity() ||
            (space.specificity() == best->specificity() && space.cost() < best->cost());
        best = better ? &space : best;
    }
    return best;
}

Rated rate(
    const SendConnector& connector,
    std::string_view domain,
    const Organization& organization) noexcept {
    return {&connector, best_space(connector, domain), distance_of(connector, organization)};
}

// Steps 1 and 2: why this connector takes no part; none when it does. What holds for every message
// is asked before what depends on its size, so that `too_small` means "but for the size it would
// take part".
std::optional<LossReason> excluded(const Rated& rated, std::uint64_t size) noexcept {
    const auto& connector = *rated.connector;
    if (!connector.enabled) {
        return LossReason::disabled;
    }
    if (connector.scoped && rated.distance == kElsewhere) {
        return LossReason::out_of_scope;
    }
    if (rated.space == nullptr) {
        return LossReason::no_match;
    }
    if (connector.max_message_size && *connector.max_message_size < size) {
        return LossReason::too_small;
    }
    return std::nullopt;
}

// Steps 3 to 6: at which step `loser` falls behind `winner`; none when it does not.
std::optional<LossReason> falls_behind(const Rated& loser, const Rated& winner) noexcept {
    if (loser.space->specificity() != winner.space->specificity()) {
        return loser.space->specificity() < winner.space->specificity()
                   ? std::optional(LossReason::less_specific)
                   : std::nullopt;
    }
    if (loser.space->cost() != winner.space->cost()) {
        return loser.space->cost() > winner.space->cost() ? std::optional(LossReason::costs_more)
                                                          : std::nullopt;
    }
    if (loser.distance != winner.distance) {
        const auto reason =
            winner.distance == kHere ? LossReason::not_local : LossReason::other_site;
        return winner.distance < loser.distance ? std::optional(reason) : std::nullopt;
    }
    return ascii::less_ignoring_case(winner.connector->name, loser.connector->name)
               ? std::optional(LossReason::later_name)
               : std::nullopt;
}

}  // namespace

bool is_source(const SendConnector& connector, const NodeSettings& node) noexcept {
    const auto& servers = connector.source_servers;
    return std::any_of(servers.begin(), servers.end(), [&node](const std::string& server) {
        return ascii::equal_ignoring_case(server, node.fqdn);
    });
}

ConnectorSelection select_connector(
    std::string_view domain, std::uint64_t size, const Organization& organization) noexcept {
    Rated best;
    bool too_small_seen = false;
    for (const auto& connector : organization.send_connectors()) {
        const auto rated = rate(connector, domain, organization);
        if (const auto reason = excluded(rated, size)) {
            too_small_seen = too_small_seen || *reason == LossReason::too_small;
        } else if (best.connector == nullptr || falls_behind(best, rated)) {
            best = rated;
        }
    }
    return {best.connector, best.connector == nullptr && too_small_seen};
}

std::vector<ConnectorCandidate> explain_selection(
    std::string_view domain, std::uint64_t size, const Organization& organization) {
    const auto* chosen = select_connector(domain, size, organization).chosen;
    std::vector<ConnectorCandidate> candidates;
    for (const auto& connector : organization.send_connectors()) {
        const auto rated = rate(connector, domain, organization);
        ConnectorCandidate candidate{
            &connector, rated.space != nullptr ? rated.space->text() : std::string(), {}};
        if (&connector != chosen) {
            candidate.loss = excluded(rated, size);
            if (!candidate.loss) {
                candidate.loss = falls_behind(rated, rate(*chosen, domain, organization));
            }
        }
        candidates.push_back(std::move(candidate));
    }
    std::sort(
        candidates.begin(),
        candidates.end(),
        [](const ConnectorCandidate& a, const ConnectorCandidate& b) {
            if (a.loss.has_value() != b.loss.has_value()) {
                return b.loss.has_value();
            }
            return ascii::less_ignoring_case(a.connector->name, b.connector->name);
        });
    return candidates;
}

const char* to_text(LossReason reason) noexcept {
    switch (reason) {
        case LossReason::disabled: return "it is disabled";
        case LossReason::too_small: return "its maximum message size is smaller than the message";
        case LossReason::out_of_scope:
            return "it is scoped to the site of its source servers, which is another";
        case LossReason::no_match: return "none of its address spaces holds the domain";
        case LossReason::less_specific: return "its address space is less specific";
        case LossReason::costs_more: return "its address space costs more";
        case LossReason::not_local: return "this node is none of its source servers";
        case LossReason::other_site: return "its source servers are in another site";
        case LossReason::later_name: return "its name comes later";
    }
    return "";
}

}  // namespace mailflow
