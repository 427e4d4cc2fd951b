// The simulated network: hosts with addresses, connections with latency that can be cut at any
// octet, ports that refuse or never answer, hosts that die. Every host is a `Network` for the code
// that runs on it. One thread.
#pragma once

#include "tests/simulation/sim_time.hpp"
#include "transport/base/random.hpp"
#include "transport/net/network.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mailflow::sim {

class SimNetwork;
class SimStream;
class SimAcceptor;

// What goes wrong with a new connection.
struct SimFaults {
    // Reset once this many octets went from client to server, or from server to client.
    std::optional<std::uint64_t> cut_client_after;
    std::optional<std::uint64_t> cut_server_after;
    std::chrono::milliseconds latency{5};
};

struct SimNetworkCounters {
    std::uint64_t connections = 0;
    std::uint64_t cut = 0;
};

// One machine's view of the network.
class SimHost final : public Network {
  public:
    SimHost(SimNetwork& network, IpAddress address)
        : network_(network)
        , address_(address) {}

    ~SimHost() override;
    SimHost(const SimHost&) = delete;
    SimHost& operator=(const SimHost&) = delete;

    Result<std::unique_ptr<Acceptor>> listen(Lane& lane, const Endpoint& endpoint) override;
    Task<Result<std::unique_ptr<Stream>>> connect(
        Lane& lane,
        Endpoint remote,
        std::optional<IpAddress> source,
        MonotonicTime deadline) override;

    // Every connection ends without another octet leaving this host, every port closes, and nothing
    // works until `revive`.
    void die();

    void revive() noexcept { alive_ = true; }

    // The connection this host made from `local` is reset; false when it has ended already.
    bool cut(const Endpoint& local);

    [[nodiscard]] bool is_alive() const noexcept { return alive_; }

    [[nodiscard]] const IpAddress& address() const noexcept { return address_; }

  private:
    friend class SimNetwork;
    friend class SimStream;
    friend class SimAcceptor;

    SimNetwork& network_;
    IpAddress address_;
    bool alive_ = true;
    std::uint16_t next_port_ = 40000;
    // By the order in which they were made, so that a seed repeats.
    std::map<std::uint64_t, SimStream*> streams_;
    std::map<std::uint16_t, SimAcceptor*> acceptors_;
};

class SimNetwork {
  public:
    // Chooses what a connection suffers.
    using FaultChooser = std::function<SimFaults(const Endpoint& client, const Endpoint& server)>;

    explicit SimNetwork(SimEvents& events)
        : events_(events) {}

    void choose_faults(FaultChooser chooser) { chooser_ = std::move(chooser); }

    // Connections to it are never answered: neither accepted nor refused.
    void set_black_hole(const IpAddress& address, bool on);

    [[nodiscard]] SimEvents& events() noexcept { return events_; }

    [[nodiscard]] const SimNetworkCounters& counters() const noexcept { return counters_; }

  private:
    friend class SimHost;
    friend class SimStream;
    friend class SimAcceptor;

    SimEvents& events_;
    FaultChooser chooser_;
    std::map<IpAddress, SimHost*> hosts_;
    std::set<IpAddress> black_holes_;
    std::uint64_t next_stream_ = 0;
    SimNetworkCounters counters_;
};

}  // namespace mailflow::sim
