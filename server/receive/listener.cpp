#include "server/receive/listener.hpp"

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
    for (const auto& [key, names] : wanted) {
        // The system refuses a second listener behind one on all addresses; that one serves both.
        const auto cover = std::find_if(wanted.begin(), wanted.end(), [&](const auto& other) {
            return covers(other.first.binding, key.binding);
        });
        auto& into = distinct[cover == wanted.end() ? key : cover->first];
        for (const auto& name : names) {
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

// ---- bindings

void ReceiveServer::apply(OrganizationPtr organization) {
    organization_ = std::move(organization);
    for (auto* const lane : lanes_) {
        if (&lane->services.lane == &home()) {
            lane->organization = organization_;
        } else {
            lane->services.lane.post([lane, now = organization_] { lane->organization = now; });
        }
    }
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
        if (stream) {
            admit(key, lane, std::move(*stream));
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
    const auto owner = std::find_if(all.begin(), all.end(), [&key](const auto& connector) {
        return connector.name == key.owner;
    });
    return owner == all.end() ? nullptr
                              : select_receive_connector(std::span(&*owner, 1), local, client);
}

void ReceiveServer::admit(
    const ListenerKey& key, ReceiveLane& lane, std::unique_ptr<Stream> stream) {
    // Connectors are matched by what they are configured with: port 0 stands for the port the
    // system chose.
    const Endpoint local{stream->local().address, key.binding.port};
    const auto client = stream->remote().address;
    const auto* const connector = select(key, local, client);
    auto verdict = Verdict::accept();
    if (connector == nullptr) {
        verdict = {no_service(), "no connector for this client"};
    } else {
        verdict =
            check_connection(*connector, client, connections_.counts(connector->name, client));
    }
    if (!verdict.is_accepted()) {
        log().info(
            "connection refused",
            {{"client", client.text()},
             {"local", stream->local().text()},
             {"connector", connector == nullptr ? "" : connector->name},
             {"reason", verdict.reason}});
        // A socket that was just accepted has room for one line.
        const auto words = verdict.refusal->wire();
        static_cast<void>(stream->try_write(words));
        stream->shutdown_send();
        stream->close();
        return;
    }

    connections_.add(connector->name, client);
    ++live_;
    auto rights = Rights::of(organization_, *connector);
    if (&lane.services.lane == &home()) {
        start_session(lane, std::move(stream), std::move(rights));
    } else {
        lane.services.lane.post(
            [this, &lane, stream = std::move(stream), rights = std::move(rights)]() mutable {
                start_session(lane, std::move(stream), std::move(rights));
            });
    }
}

void ReceiveServer::start_session(
    ReceiveLane& lane, std::unique_ptr<Stream> stream, Rights rights) {
    SessionHost& host = *this;
    auto session =
        std::make_unique<ReceiveSession>(lane, host, std::move(stream), std::move(rights));
    lane.services.lane.spawn("receive session", ReceiveSession::run(std::move(session)));
}

void ReceiveServer::release(const std::string& connector, const IpAddress& client) noexcept {
    connections_.remove(connector, client);
    --live_;
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

Task<bool> take_token(
    RateLimiter* messages,
    const Clock* clock,
    std::string connector,
    IpAddress client,
    std::uint32_t per_minute) {
    co_return messages->take(connector, client, per_minute, clock->monotonic());
}

}  // namespace

Task<bool> ReceiveServer::take_message_token(
    Lane& lane, std::string connector, IpAddress client, std::uint32_t per_minute) {
    const auto make = [&] {
        return take_token(&messages_, &home().clock(), connector, client, per_minute);
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
