// The door: opens the bindings of all enabled receive connectors, chooses the connector of each
// connection by local address and remote range, counts, and starts sessions on the lanes in turn.
// Lives on the first of its lanes (the accepting one) and is used there. Outlives all sessions:
// `stop`, wait until `live` is 0, then destroy.
#pragma once

#include "server/receive/rate_limiter.hpp"
#include "server/receive/receive_session.hpp"
#include "transport/net/network.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace mailflow {

// One binding, as status shows it.
struct ListenerState {
    Endpoint binding;                     // as configured
    Endpoint local;                       // as opened: with the port the system chose for 0
    std::vector<std::string> connectors;  // names, in the Organization's order
    ErrorCode error;  // why it is not open; it is tried again at the next `apply`

    [[nodiscard]] bool is_open() const noexcept { return !error; }
};

// A listener serves every connector with its binding; but port 0 picks a free port for each
// connector.
struct ListenerKey {
    Endpoint binding;
    std::string owner;  // name of the one connector, with port 0

    friend auto operator<=>(const ListenerKey&, const ListenerKey&) = default;
};

class ReceiveServer final : private SessionHost {
  public:
    // All lanes and the network outlive the server; at least one lane.
    ReceiveServer(Network& network, std::vector<ReceiveLane*> lanes);
    ~ReceiveServer() override;

    // Opens new bindings, closes those no longer wanted; live sessions stay and see the change at
    // their next EHLO or MAIL.
    void apply(OrganizationPtr organization);
    // For the handshakes from now on. Before the organization they were made for.
    void set_tls_contexts(const TlsContextsPtr& contexts);
    // By binding. The names and reasons of what is not open are in the log too.
    [[nodiscard]] std::vector<ListenerState> listeners() const;

    // Accepts no more; sessions end with 421 after the command in hand.
    void stop();
    // Closes every session at once.
    void abort();

    // Sessions and accept loops that have not ended.
    [[nodiscard]] std::size_t live() const noexcept { return live_; }

  private:
    struct Listener {
        ListenerState state;
        std::shared_ptr<Acceptor> acceptor;  // shared with its accept loop; null when not open
        bool wanted = true;
    };

    Task<void> accept_loop(std::shared_ptr<Acceptor> acceptor, ListenerKey key);
    [[nodiscard]] bool is_balancer(const ListenerKey& key, const IpAddress& peer) const;
    void await_header(const ListenerKey& key, ReceiveLane& lane, std::unique_ptr<Stream> stream);
    Task<void> admit_proxied(ListenerKey key, ReceiveLane* lane, std::unique_ptr<Stream> stream);
    void admit(
        const ListenerKey& key,
        const IpAddress& reached,
        ReceiveLane& lane,
        std::unique_ptr<Stream> stream);
    [[nodiscard]] const ReceiveConnector* select(
        const ListenerKey& key, const Endpoint& local, const IpAddress& client) const noexcept;
    [[nodiscard]] const ReceiveConnector* find_connector(const std::string& name) const noexcept;
    void refuse(const Verdict& verdict, const ReceiveConnector* connector, Stream& stream);
    void start_session(ReceiveLane& lane, std::unique_ptr<Stream> stream, Arrival arrival);
    void open(Listener& listener, const ListenerKey& key);
    [[nodiscard]] ReceiveLane& next_lane() noexcept;

    [[nodiscard]] Lane& home() noexcept { return lanes_.front()->services.lane; }

    [[nodiscard]] const Log& log() const noexcept { return lanes_.front()->services.log; }

    void release(const std::string& connector, const IpAddress& client);
    void update_stress(const std::string& name);
    // On every lane, on this one at once.
    template <class Change>
    void tell_lanes(const Change& change);

    Task<bool> take_tokens(
        Lane& lane, std::string key, RateLimits limits, RateLimiter::Use use) override;
    void session_ended(Lane& lane, const std::string& connector, const IpAddress& client) override;

    Network& network_;
    std::vector<ReceiveLane*> lanes_;
    std::size_t turn_ = 0;
    OrganizationPtr organization_;
    std::map<ListenerKey, Listener> listeners_;
    ConnectionCounter connections_;
    RateLimiter rates_;
    std::set<std::string, std::less<>> stressed_;  // connectors
    std::size_t headers_awaited_ = 0;              // of balancers
    std::size_t live_ = 0;
    bool stopping_ = false;
};

}  // namespace mailflow
