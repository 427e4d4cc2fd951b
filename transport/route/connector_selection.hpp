// Which send connector takes a recipient's domain (reference 1.5): drop what is too small, keep
// what is in scope, enabled and matching; then most specific address space, lowest cost, local
// before this site before others, lowest name. Pure and deterministic: the order of the list never
// matters. `explain_selection` says why every other candidate lost.
#pragma once

#include "transport/org/organization.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

struct ConnectorSelection {
    const SendConnector* chosen = nullptr;  // into the organization
    // Nothing was chosen, but a connector would match if the message were smaller.
    bool too_large = false;
};

// `domain`: A-labels in any case, or an address literal with brackets. `size`: octets of the
// content as sent.
[[nodiscard]] ConnectorSelection select_connector(
    std::string_view domain, std::uint64_t size, const Organization& organization) noexcept;

// True when this node is one of the connector's source servers: it is the one that sends.
[[nodiscard]] bool is_source(const SendConnector& connector, const NodeSettings& node) noexcept;

enum class LossReason : std::uint8_t {
    disabled,
    too_small,      // max_message_size is less than the message
    out_of_scope,   // scoped, and no source server is in this node's site
    no_match,       // none of its address spaces holds the domain
    less_specific,  // than the chosen one's
    costs_more,
    not_local,   // the chosen one sends from this node
    other_site,  // the chosen one sends from this node's site
    later_name,
};

struct ConnectorCandidate {
    const SendConnector* connector = nullptr;
    std::string address_space;       // the best matching one, canonical; empty when none matches
    std::optional<LossReason> loss;  // none: chosen
};

// All connectors, the chosen one first, the others in order of name.
[[nodiscard]] std::vector<ConnectorCandidate> explain_selection(
    std::string_view domain, std::uint64_t size, const Organization& organization);

// For people: `its address space is less specific`.
[[nodiscard]] const char* to_text(LossReason reason) noexcept;

}  // namespace mailflow
