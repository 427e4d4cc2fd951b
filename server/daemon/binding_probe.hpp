// Tries the bindings a change of receive connectors would open, before it is stored: a binding that
// cannot be opened refuses the change, with words that say who holds it. Owned by MailFlow; called
// on the console lane.
#pragma once

#include "config/organization_service.hpp"
#include "server/daemon/port_holder.hpp"
#include "server/receive/listener.hpp"
#include "transport/base/task_runner.hpp"

#include <functional>
#include <string>
#include <vector>

namespace mailflow {

// As `find_port_holder`; blocks.
using FindPortHolder = std::function<std::string(const Endpoint&, HolderSearch)>;

class BindingProbe {
  public:
    // All outlives the probe.
    struct Parts {
        Network& network;
        Lane& console;
        Lane& door;  // the lane of the listeners
        TaskRunner& worker;
        FindPortHolder find_holder;                         // empty: nobody is looked for
        std::function<std::vector<ListenerState>()> state;  // on the door's lane
    };

    explicit BindingProbe(Parts parts)
        : parts_(std::move(parts)) {}

    // What cannot be opened of bindings that are not open yet. Our own listeners on the same port
    // are no hindrance: one on all addresses stands for all, in either direction.
    Task<std::vector<RefusedBinding>> probe(std::vector<Endpoint> wanted);

  private:
    struct Failed;
    Task<std::vector<Failed>> try_all(const std::vector<Endpoint>& wanted);
    Task<std::string> find_holder(Endpoint endpoint, HolderSearch search);

    Parts parts_;
};

}  // namespace mailflow
