// A dry run of the mail flow for one message that does not exist: asks the same functions in the
// same order as ReceiveSession, the categorizer, the router and the SMTP client, keeps every
// answer, and does nothing: no store, no counter, no rate, no connection. On the directory's lane.
#pragma once

#include "server/explain/explanation.hpp"
#include "server/explain/receive_choice.hpp"
#include "transport/net/lane.hpp"
#include "transport/ports/directory.hpp"
#include "transport/ports/resolver.hpp"
#include "transport/queue/categorize.hpp"

#include <chrono>
#include <memory>

namespace mailflow {

// For the hosts of one next hop; an unreachable resolver delays the answer no longer.
constexpr Duration kExplainLookUp = std::chrono::seconds(3);
// Next hops whose hosts are looked up; those of the others are not shown.
constexpr std::size_t kMaxExplainedHops = 20;

struct ExplainParts {
    Lane& lane;
    Directory& directory;          // of that lane
    Resolver* resolver = nullptr;  // likewise; null: hosts are not looked up
    OrganizationPtr organization;
    std::shared_ptr<const AddressTools> tools;  // of that organization; may be null
    TargetRules rules;                          // of the SMTP client: see rules_for
};

struct ExplainRequest {
    IpAddress client;
    std::string connector{};          // empty: chosen by `local`
    std::optional<Endpoint> local{};  // none: port 25
    std::string account{};            // UPN, address or alias of who has logged in; empty: nobody
    ReversePath from;
    std::vector<ForwardPath> to;
    std::optional<std::uint64_t> size{};  // octets, as declared and as they come
    std::vector<std::string> fields{};    // of the header, without line ends
};

// Error::unavailable: the directory does not answer. Error::not_found: no connector or no account
// has that name; `why` says which.
[[nodiscard]] Task<Result<Explanation>> explain(
    ExplainParts parts, ExplainRequest request, std::string* why);

}  // namespace mailflow
