// Which receive connector takes a client, in words: select_receive_connector, asked so that it says
// why the others lost. Pure; used by explain().
#pragma once

#include "server/explain/explanation.hpp"
#include "transport/org/organization.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mailflow {

struct ReceiveChoice {
    const ReceiveConnector* connector = nullptr;  // into the organization
    Endpoint local;
    std::string why;
    std::vector<Explanation::Loser> losers;
};

// `name`: a connector, reached by the binding at which it takes this client; where it takes none,
// it is chosen nevertheless and `why` says so. Else by `local`, else by the first binding to port
// 25 at which somebody takes the client. None: there is no connector `name`.
[[nodiscard]] std::optional<ReceiveChoice> choose_receive_connector(
    const Organization& organization,
    const IpAddress& client,
    const std::string& name,
    const std::optional<Endpoint>& local);

}  // namespace mailflow
