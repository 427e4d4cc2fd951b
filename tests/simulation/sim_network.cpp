#include "tests/simulation/sim_network.hpp"

#include "tests/simulation/sim_stream.hpp"
#include "transport/base/error.hpp"

namespace mailflow::sim {

SimHost::~SimHost() {
    for (auto& [serial, stream] : streams_) {
        stream->host_ = nullptr;
    }
    for (auto& [port, acceptor] : acceptors_) {
        acceptor->host_ = nullptr;
    }
    network_.hosts_.erase(address_);
}

Result<std::unique_ptr<Acceptor>> SimHost::listen(Lane& /*lane*/, const Endpoint& endpoint) {
    network_.hosts_[address_] = this;
    auto local = endpoint;
    local.port = local.port == 0 ? next_port_++ : local.port;
    if (!alive_ || acceptors_.contains(local.port)) {
        return make_error_code(boost::system::errc::address_in_use);
    }
    return std::unique_ptr<Acceptor>(std::make_unique<SimAcceptor>(*this, local));
}

Task<Result<std::unique_ptr<Stream>>> SimHost::connect(
    Lane& lane, Endpoint remote, std::optional<IpAddress> /*source*/, MonotonicTime deadline) {
    if (!alive_) {
        co_return make_error_code(boost::system::errc::network_unreachable);
    }
    const Endpoint local{address_, next_port_++};
    SimFaults faults;
    if (network_.chooser_) {
        faults = network_.chooser_(local, remote);
    }
    const bool silent = network_.black_holes_.contains(remote.address);
    const auto answer = lane.clock().monotonic() + 2 * faults.latency;
    const auto until = silent || answer > deadline ? deadline : answer;
    co_await lane.sleep_until(until);
    if (!alive_) {
        co_return make_error_code(boost::system::errc::network_unreachable);
    }
    if (silent || answer > deadline) {
        co_return Error::timed_out;
    }
    const auto host = network_.hosts_.find(remote.address);
    if (host == network_.hosts_.end() || !host->second->alive_ ||
        !host->second->acceptors_.contains(remote.port)) {
        co_return make_error_code(boost::system::errc::connection_refused);
    }
    ++network_.counters_.connections;
    auto connection = std::make_shared<SimConnection>();
    connection->latency = faults.latency;
    connection->to_server.cut_after = faults.cut_client_after;
    connection->to_client.cut_after = faults.cut_server_after;
    std::unique_ptr<Stream> client =
        std::make_unique<SimStream>(*this, connection, SimStream::Side::client, local, remote);
    host->second->acceptors_.at(remote.port)
        ->offer(std::make_unique<SimStream>(
            *host->second, connection, SimStream::Side::server, remote, local));
    co_return client;
}

void SimHost::die() {
    alive_ = false;
    const auto streams = streams_;
    for (const auto& [serial, stream] : streams) {
        stream->reset();
    }
    const auto acceptors = acceptors_;
    for (const auto& [port, acceptor] : acceptors) {
        acceptor->close();
    }
}

bool SimHost::cut(const Endpoint& local) {
    for (const auto& [serial, stream] : streams_) {
        if (stream->local() == local) {
            ++network_.counters_.cut;
            stream->reset();
            return true;
        }
    }
    return false;
}

void SimNetwork::set_black_hole(const IpAddress& address, bool on) {
    if (on) {
        black_holes_.insert(address);
    } else {
        black_holes_.erase(address);
    }
}

}  // namespace mailflow::sim
