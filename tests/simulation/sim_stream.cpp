#include "tests/simulation/sim_stream.hpp"

#include "transport/base/error.hpp"

#include <algorithm>
#include <cstring>

namespace mailflow::sim {

namespace {

ErrorCode reset_error() {
    return make_error_code(boost::system::errc::connection_reset);
}

}  // namespace

SimStream::SimStream(
    SimHost& host,
    std::shared_ptr<SimConnection> connection,
    Side side,
    Endpoint local,
    Endpoint remote)
    : host_(&host)
    , connection_(std::move(connection))
    , side_(side)
    , local_(local)
    , remote_(remote)
    , serial_(++host.network_.next_stream_) {
    (side_ == Side::client ? connection_->client : connection_->server) = this;
    host.streams_.emplace(serial_, this);
}

SimStream::~SimStream() {
    close();
    (side_ == Side::client ? connection_->client : connection_->server) = nullptr;
}

SimPipe& SimStream::input() noexcept {
    return side_ == Side::client ? connection_->to_client : connection_->to_server;
}

SimPipe& SimStream::output() noexcept {
    return side_ == Side::client ? connection_->to_server : connection_->to_client;
}

SimStream* SimStream::peer() noexcept {
    return side_ == Side::client ? connection_->server : connection_->client;
}

bool SimStream::is_ready(Readiness readiness) noexcept {
    if (closed_ || connection_->reset) {
        return true;
    }
    if (readiness == Readiness::readable) {
        return !input().arrived.empty() || input().finished;
    }
    return output().in_flight + output().arrived.size() < SimPipe::kWindow;
}

Result<std::size_t> SimStream::try_read(std::span<char> into) noexcept {
    if (closed_) {
        return Error::cancelled;
    }
    auto& pipe = input();
    if (!pipe.arrived.empty()) {
        const auto count = std::min(into.size(), pipe.arrived.size());
        std::memcpy(into.data(), pipe.arrived.data(), count);
        pipe.arrived.erase(0, count);
        if (auto* other = peer()) {
            other->wake();
        }
        return count;
    }
    if (connection_->reset) {
        return reset_error();
    }
    if (pipe.finished) {
        return Error::end_of_stream;
    }
    return Error::would_block;
}

Result<std::size_t> SimStream::try_write(std::span<const char> from) noexcept {
    if (closed_ || send_ended_) {
        return Error::cancelled;
    }
    if (connection_->reset) {
        return reset_error();
    }
    auto& pipe = output();
    const auto used = pipe.in_flight + pipe.arrived.size();
    if (used >= SimPipe::kWindow) {
        return Error::would_block;
    }
    const auto count = std::min(from.size(), SimPipe::kWindow - used);
    send(std::string(from.data(), count));
    return count;
}

void SimStream::send(std::string bytes) {
    auto& pipe = output();
    bool cut = false;
    pipe.written += bytes.size();
    if (pipe.cut_after && pipe.written >= *pipe.cut_after) {
        const auto beyond = pipe.written - *pipe.cut_after;
        bytes.resize(bytes.size() - std::min<std::size_t>(bytes.size(), beyond));
        cut = true;
    }
    pipe.in_flight += bytes.size();
    if (host_ == nullptr) {
        return;
    }
    auto connection = connection_;
    const bool to_server = side_ == Side::client;
    auto* network = &host_->network_;
    network->events().after(
        connection->latency,
        [connection, to_server, cut, network, bytes = std::move(bytes)]() mutable {
            auto& arriving = to_server ? connection->to_server : connection->to_client;
            arriving.in_flight -= bytes.size();
            arriving.arrived += bytes;
            if (cut && !connection->reset) {
                connection->reset = true;
                ++network->counters_.cut;
            }
            for (auto* end : {connection->client, connection->server}) {
                if (end != nullptr) {
                    end->wake();
                }
            }
        });
}

void SimStream::send_end() {
    if (send_ended_ || host_ == nullptr) {
        return;
    }
    send_ended_ = true;
    auto connection = connection_;
    const bool to_server = side_ == Side::client;
    host_->network_.events().after(connection->latency, [connection, to_server] {
        (to_server ? connection->to_server : connection->to_client).finished = true;
        if (auto* end = to_server ? connection->server : connection->client) {
            end->wake();
        }
    });
}

Task<ErrorCode> SimStream::wait(Readiness readiness) {
    if (closed_) {
        co_return Error::cancelled;
    }
    if (is_ready(readiness)) {
        co_return ErrorCode();
    }
    OneShot<ErrorCode> done;
    waiters_.push_back({readiness, &done});
    const auto result = co_await done.wait();
    co_return result;
}

void SimStream::wake() {
    std::vector<Waiter> ready;
    std::erase_if(waiters_, [this, &ready](const Waiter& waiter) {
        const bool now = is_ready(waiter.readiness);
        if (now) {
            ready.push_back(waiter);
        }
        return now;
    });
    for (const auto& waiter : ready) {
        waiter.done->complete(closed_ ? make_error_code(Error::cancelled) : ErrorCode());
    }
}

void SimStream::shutdown_send() noexcept {
    send_end();
}

void SimStream::close() noexcept {
    if (closed_) {
        return;
    }
    send_end();
    closed_ = true;
    wake();
    if (host_ != nullptr) {
        host_->streams_.erase(serial_);
        host_ = nullptr;
    }
}

void SimStream::reset() {
    connection_->reset = true;
    for (auto* end : {connection_->client, connection_->server}) {
        if (end != nullptr) {
            end->wake();
        }
    }
}

SimAcceptor::SimAcceptor(SimHost& host, Endpoint local)
    : host_(&host)
    , local_(local) {
    host.acceptors_[local.port] = this;
}

SimAcceptor::~SimAcceptor() {
    close();
}

Task<Result<std::unique_ptr<Stream>>> SimAcceptor::accept(Lane& /*lane*/) {
    while (backlog_.empty()) {
        if (closed_) {
            co_return Error::cancelled;
        }
        OneShot<bool> arrived;
        waiter_ = &arrived;
        co_await arrived.wait();
        waiter_ = nullptr;
    }
    std::unique_ptr<Stream> stream = std::move(backlog_.front());
    backlog_.pop_front();
    co_return stream;
}

void SimAcceptor::offer(std::unique_ptr<SimStream> stream) {
    backlog_.push_back(std::move(stream));
    if (waiter_ != nullptr && !waiter_->is_complete()) {
        waiter_->complete(true);
    }
}

void SimAcceptor::close() noexcept {
    if (closed_) {
        return;
    }
    closed_ = true;
    if (host_ != nullptr) {
        host_->acceptors_.erase(local_.port);
        host_ = nullptr;
    }
    backlog_.clear();
    if (waiter_ != nullptr && !waiter_->is_complete()) {
        waiter_->complete(true);
    }
}

}  // namespace mailflow::sim
