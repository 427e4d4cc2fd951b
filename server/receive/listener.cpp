#include "server/receive/listener.hpp"

#include "server/receive/proxied_stream.hpp"
#include "transport/base/error.hpp"
#include "transport/net/call_on.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// Out of descriptors or memory: how long nobody is let in, and how often that is said (attack case
// 16).
constexpr Duration kAcceptPause = std::chrono::seconds(1);
constexpr Duration kAcceptLogInterval = std::chrono::seconds(60);

// Balancers' connections whose header has not come yet; more are closed.
constexpr std::size_t kMaxHeadersAwaited = 1000;

// An unspecified address takes every address of its family on its port.
bool covers(const Endpoint& a, const Endpoint& b) noexcept {
    return a != b && a.port == b.port && a.port != 0 && a.address.is_unspecified() &&
           a.address.is_v4() == b.address.is_v4();
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) {
        text.append(text.empty() ? "" : ", ").append(name);
    }
    return text;
}

bool contains(const std::vector<IpRange>& ranges, const IpAddress& address) noexcept {
    return std::any_of(ranges.begin(), ranges.end(), [&address](const auto& range) {
        return range.contains(address);
    });
}

// What listens, and the names of the enabled connectors that want it.
std::map<ListenerKey, std::vector<std::string>> wanted_listeners(const Organization& organization) {
    std::map<ListenerKey, std::vector<std::string>> wanted;
    for (const auto& connector : organization.receive_connectors()) {
        if (!connector.enabled) {
            continue;
        }
        for (const auto& binding : connector.bindings) {
            wanted[{binding, binding.port == 0 ? connector.name : ""}].push_back(connector.name);
        }
    }
    std::map<ListenerKey, std::vector<std::string>> distinct;
    for (const auto& one : wanted) {
        // The system refuses a second listener behind one on all addresses; that one serves both.
        const auto cover = std::find_if(wanted.begin(), wanted.end(), [&one](const auto& other) {
            return covers(other.first.binding, one.first.binding);
        });
        auto& into = distinct[cover == wanted.end() ? one.first : cover->first];
        for (const auto& name : one.second) {
            if (std::find(into.begin(), into.end(), name) == into.end()) {
                into.push_back(name);
            }
        }
    }
    return distinct;
}

}  // namespace

ReceiveServer::ReceiveServer(Network& network, std::vector<ReceiveLane*> lanes)
    : network_(network)
    , lanes_(std::move(lanes)) {}

ReceiveServer::~ReceiveServer() = default;

template <class Change>
void ReceiveServer::tell_lanes(const Change& change) {
    for (auto* const lane : lanes_) {
        if (&lane->services.lane == &home()) {
            change(*lane);
        } else {
            lane->services.lane.post([lane, change] { change(*lane); });
        }
    }
}

// ---- bindings

void ReceiveServer::apply(OrganizationPtr organization) {
    organization_ = std::move(organization);
    tell_lanes([now = organization_](ReceiveLane& lane) { lane.organization = now; });
    if (stopping_) {
        return;
    }

    const auto wanted = wanted_listeners(*organization_);
    // Closed first: a new binding may need the port of an old one.
    for (auto& [key, listener] : listeners_) {
        listener.wanted = wanted.contains(key);
        if (!listener.wanted && listener.acceptor != nullptr) {
            listener.acceptor->close();
            log().info("listener closed", {{"binding", key.binding.text()}});
        }
    }
    std::erase_if(listeners_, [](const auto& entry) { return !entry.second.wanted; });
    for (const auto& [key, names] : wanted) {
        auto& listener = listeners_[key];
        listener.state.binding = key.binding;
        listener.state.connectors = names;
        if (listener.acceptor == nullptr) {
            open(listener, key);
        }
    }
}

void ReceiveServer::set_tls_contexts(const TlsContextsPtr& contexts) {
    tell_lanes([contexts](ReceiveLane& lane) { lane.tls = contexts; });
}

void ReceiveServer::open(Listener& listener, const ListenerKey& key) {
    auto& state = listener.state;
    auto acceptor = network_.listen(home(), state.binding);
    if (!acceptor) {
        state.error = acceptor.error();
        log().error(
            "listener cannot open",
            {{"binding", state.binding.text()},
             {"connectors", joined(state.connectors)},
             {"reason", state.error.message()}});
        return;
    }
    state.error = {};
    state.local = (*acceptor)->local();
    listener.acceptor = std::move(*acceptor);
    log().info(
        "listener open", {{"local", state.local.text()}, {"connectors", joined(state.connectors)}});
    ++live_;
    home().spawn("accept", accept_loop(listener.acceptor, key));
}

std::vector<ListenerState> ReceiveServer::listeners() const {
    std::vector<ListenerState> states;
    states.reserve(listeners_.size());
    for (const auto& [key, listener] : listeners_) {
        states.push_back(listener.state);
    }
    return states;
}

// ---- connections

ReceiveLane& ReceiveServer::next_lane() noexcept {
    turn_ = (turn_ + 1) % lanes_.size();
    return *lanes_[turn_];
}

Task<void> ReceiveServer::accept_loop(std::shared_ptr<Acceptor> acceptor, ListenerKey key) {
    auto quiet_until = home().clock().monotonic();
    for (;;) {
        auto& lane = next_lane();
        auto stream = co_await acceptor->accept(lane.services.lane);
        if (stream && !is_balancer(key, (*stream)->remote().address)) {
            const auto reached = (*stream)->local().address;
            admit(key, reached, lane, std::move(*stream));
            continue;
        }
        if (stream) {
            await_header(key, lane, std::move(*stream));
            continue;
        }
        if (stream.error() == Error::cancelled || stopping_) {
            break;
        }
        const auto now = home().clock().monotonic();
        if (now >= quiet_until) {
            quiet_until = now + kAcceptLogInterval;
            log().error(
                "cannot accept connections for now",
                {{"binding", key.binding.text()}, {"reason", stream.error().message()}});
        }
        co_await home().sleep_until(now + kAcceptPause);
    }
    --live_;
}

const ReceiveConnector* ReceiveServer::select(
    const ListenerKey& key, const Endpoint& local, const IpAddress& client) const noexcept {
    const std::span<const ReceiveConnector> all = organization_->receive_connectors();
    if (key.owner.empty()) {
        return select_receive_connector(all, local, client);
    }
    const auto* const owner = find_connector(key.owner);
    return owner == nullptr ? nullptr
                            : select_receive_connector(std::span(owner, 1), local, client);
}

const ReceiveConnector* ReceiveServer::find_connector(const std::string& name) const noexcept {
    const auto& all = organization_->receive_connectors();
    const auto found = std::find_if(
        all.begin(), all.end(), [&name](const auto& connector) { return connector.name == name; });
    return found == all.end() ? nullptr : &*found;
}

// Only who is listed is believed; to all others the header is an unknown command.
bool ReceiveServer::is_balancer(const ListenerKey& key, const IpAddress& peer) const {
    const auto listener = listeners_.find(key);
    if (listener == listeners_.end()) {
        return false;
    }
    const auto& names = listener->second.state.connectors;
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        const auto* const connector = find_connector(name);
        return connector != nullptr && contains(connector->proxy_protocol_from, peer);
    });
}

void ReceiveServer::await_header(
    const ListenerKey& key, ReceiveLane& lane, std::unique_ptr<Stream> stream) {
    if (headers_awaited_ >= kMaxHeadersAwaited) {
        refuse({no_service(), "too many PROXY headers awaited"}, nullptr, *stream);
        return;
    }
    ++live_;
    ++headers_awaited_;
    lane.services.lane.post([this, key, &lane, stream = std::move(stream)]() mutable {
        auto waiting = admit_proxied(key, &lane, std::move(stream));
        lane.services.lane.spawn("proxied connection", std::move(waiting));
    });
}

// On the connection's lane, then on the accepting one.
Task<void> ReceiveServer::admit_proxied(
    ListenerKey key, ReceiveLane* lane, std::unique_ptr<Stream> stream) {
    const auto peer = stream->remote();
    const auto reached = stream->local().address;
    auto proxied = co_await read_proxy_header(*lane, std::move(stream));
    if (!proxied) {
        lane->services.log.info(
            "no PROXY header", {{"peer", peer.text()}, {"reason", proxied.error().message()}});
    }
    home().post([this, key, reached, lane, proxied = std::move(proxied)]() mutable {
        --headers_awaited_;
        if (proxied && !stopping_) {
            admit(key, reached, *lane, std::move(*proxied));
        }
        --live_;
    });
}

// `reached`: the local address the connection came in by; a balancer's header may name another.
void ReceiveServer::admit(
    const ListenerKey& key,
    const IpAddress& reached,
    ReceiveLane& lane,
    std::unique_ptr<Stream> stream) {
    // Connectors are matched by what they are configured with: port 0 stands for the port the
    // system chose.
    Endpoint bound{stream->local().address, key.binding.port};
    const auto client = stream->remote().address;
    const auto* connector = select(key, bound, client);
    if (connector == nullptr && reached != bound.address) {
        // The address the header names is the balancer's own: no connector knows it.
        bound.address = reached;
        connector = select(key, bound, client);
    }
    auto verdict = Verdict::accept();
    if (connector == nullptr) {
        verdict = {no_service(), "no connector for this client"};
    } else {
        verdict =
            check_connection(*connector, client, connections_.counts(connector->name, client));
    }
    if (!verdict.is_accepted()) {
        refuse(verdict, connector, *stream);
        return;
    }

    connections_.add(connector->name, client);
    update_stress(connector->name);
    ++live_;
    auto arrival = Arrival{Rights::of(organization_, *connector), bound};
    if (&lane.services.lane == &home()) {
        start_session(lane, std::move(stream), std::move(arrival));
    } else {
        lane.services.lane.post(
            [this, &lane, stream = std::move(stream), arrival = std::move(arrival)]() mutable {
                start_session(lane, std::move(stream), std::move(arrival));
            });
    }
}

void ReceiveServer::refuse(
    const Verdict& verdict, const ReceiveConnector* connector, Stream& stream) {
    log().info(
        "connection refused",
        {{"client", stream.remote().address.text()},
         {"local", stream.local().text()},
         {"connector", connector == nullptr ? "" : connector->name},
         {"reason", verdict.reason}});
    if (auto* const metrics = lanes_.front()->services.metrics) {
        metrics->connection_refused(verdict.reason);
    }
    // A socket that was just accepted has room for one line. Who expects TLS could not read it.
    if (connector == nullptr || connector->tls != TlsMode::implicit) {
        const auto words = verdict.refusal->wire();
        static_cast<void>(stream.try_write(words));
    }
    stream.shutdown_send();
    stream.close();
}

void ReceiveServer::start_session(
    ReceiveLane& lane, std::unique_ptr<Stream> stream, Arrival arrival) {
    SessionHost& host = *this;
    auto session =
        std::make_unique<ReceiveSession>(lane, host, std::move(stream), std::move(arrival));
    lane.services.lane.spawn("receive session", ReceiveSession::run(std::move(session)));
}

void ReceiveServer::release(const std::string& connector, const IpAddress& client) {
    connections_.remove(connector, client);
    update_stress(connector);
    --live_;
}

// Attack case 15.
void ReceiveServer::update_stress(const std::string& name) {
    const auto* const connector = find_connector(name);
    const bool was = stressed_.contains(name);
    const auto total = connections_.counts(name, {}).total;
    const bool now = connector != nullptr && is_stressed(*connector, total, was);
    if (now == was) {
        return;
    }
    if (now) {
        stressed_.insert(name);
    } else {
        stressed_.erase(name);
    }
    log().warning(
        now ? "stress mode begins" : "stress mode ends",
        {{"connector", name}, {"connections", total}});
    tell_lanes([name, now](ReceiveLane& lane) {
        if (!now) {
            lane.stressed.erase(name);
            return;
        }
        lane.stressed.insert(name);
        for (auto& session : lane.sessions) {
            session.stress_changed();
        }
    });
}

void ReceiveServer::session_ended(
    Lane& lane, const std::string& connector, const IpAddress& client) {
    if (&lane == &home()) {
        release(connector, client);
    } else {
        home().post([this, connector, client] { release(connector, client); });
    }
}

namespace {

Task<bool> take_now(
    RateLimiter* rates,
    const Clock* clock,
    std::string key,
    RateLimits limits,
    RateLimiter::Use use) {
    co_return rates->take(key, limits, use, clock->monotonic());
}

}  // namespace

Task<bool> ReceiveServer::take_tokens(
    Lane& lane, std::string key, RateLimits limits, RateLimiter::Use use) {
    const auto make = [&] {
        return take_now(&rates_, &home().clock(), key, limits, use);
    };
    const bool taken = co_await call_on(lane, home(), make);
    co_return taken;
}

// ---- stopping

void ReceiveServer::stop() {
    stopping_ = true;
    for (auto& [key, listener] : listeners_) {
        if (listener.acceptor != nullptr) {
            listener.acceptor->close();
        }
    }
    listeners_.clear();
    for (auto* const lane : lanes_) {
        lane->services.lane.post([lane] {
            lane->stopping = true;
            for (auto session = lane->sessions.begin(); session != lane->sessions.end();) {
                (session++)->stop();
            }
        });
    }
}

void ReceiveServer::abort() {
    for (auto* const lane : lanes_) {
        lane->services.lane.post([lane] {
            for (auto session = lane->sessions.begin(); session != lane->sessions.end();) {
                (session++)->abort();
            }
        });
    }
}

}  // namespace mailflow
