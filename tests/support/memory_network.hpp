// A Network whose clients are MemoryPeers: the test pushes connections into its listeners.
// Connecting out is refused. One lane.
#pragma once

#include "tests/support/memory_stream.hpp"
#include "transport/net/network.hpp"

#include <deque>
#include <map>
#include <memory>
#include <set>

namespace mailflow {

class MemoryNetwork final : public Network {
  public:
    Result<std::unique_ptr<Acceptor>> listen(Lane&, const Endpoint& endpoint) override {
        if (const auto error = listen_errors_.find(endpoint); error != listen_errors_.end()) {
            return error->second;
        }
        auto local = endpoint;
        if (local.port == 0) {
            local.port = next_port_++;
        }
        auto door = std::make_shared<Door>();
        doors_[local] = door;
        return std::unique_ptr<Acceptor>(std::make_unique<MemoryAcceptor>(door, local));
    }

    Task<Result<std::unique_ptr<Stream>>> connect(
        Lane&, Endpoint, std::optional<IpAddress>, MonotonicTime) override {
        co_return boost::system::errc::make_error_code(boost::system::errc::connection_refused);
    }

    // A client reaches `local`, by a listener on it or on all addresses; false when nobody listens.
    bool push(MemoryPeer& peer, const Endpoint& local) {
        for (const auto& [endpoint, door] : doors_) {
            const bool fits = endpoint.port == local.port && (endpoint.address == local.address ||
                                                              endpoint.address.is_unspecified());
            if (fits && !door->closed) {
                door->waiting.push_back(peer.stream());
                door->wake();
                return true;
            }
        }
        return false;
    }

    // Every accept fails so; no error: works again.
    void fail_accepts_with(ErrorCode error) {
        for (const auto& [endpoint, door] : doors_) {
            door->error = error;
            door->wake();
        }
    }

    // Listening on `endpoint` fails so.
    void fail_listen(const Endpoint& endpoint, ErrorCode error) {
        listen_errors_[endpoint] = error;
    }

    void allow_listen(const Endpoint& endpoint) { listen_errors_.erase(endpoint); }

    // Open listeners.
    [[nodiscard]] std::set<Endpoint> open() const {
        std::set<Endpoint> result;
        for (const auto& [endpoint, door] : doors_) {
            if (!door->closed) {
                result.insert(endpoint);
            }
        }
        return result;
    }

    // Calls of accept that failed as told.
    [[nodiscard]] std::size_t failed_accepts() const {
        std::size_t count = 0;
        for (const auto& [endpoint, door] : doors_) {
            count += door->failed;
        }
        return count;
    }

  private:
    struct Door {
        std::deque<std::unique_ptr<Stream>> waiting;
        ErrorCode error;
        OneShot<bool>* accepting = nullptr;
        std::size_t failed = 0;
        bool closed = false;

        void wake() {
            if (auto* const one = std::exchange(accepting, nullptr)) {
                one->complete(true);
            }
        }
    };

    class MemoryAcceptor final : public Acceptor {
      public:
        MemoryAcceptor(std::shared_ptr<Door> door, const Endpoint& local)
            : door_(std::move(door))
            , local_(local) {}

        Task<Result<std::unique_ptr<Stream>>> accept(Lane&) override {
            for (;;) {
                if (door_->closed) {
                    co_return Error::cancelled;
                }
                if (door_->error) {
                    ++door_->failed;
                    co_return door_->error;
                }
                if (!door_->waiting.empty()) {
                    auto stream = std::move(door_->waiting.front());
                    door_->waiting.pop_front();
                    co_return std::move(stream);
                }
                OneShot<bool> knock;
                door_->accepting = &knock;
                co_await knock.wait();
            }
        }

        void close() noexcept override {
            door_->closed = true;
            door_->wake();
        }

        [[nodiscard]] const Endpoint& local() const noexcept override { return local_; }

      private:
        std::shared_ptr<Door> door_;
        Endpoint local_;
    };

    std::map<Endpoint, std::shared_ptr<Door>> doors_;
    std::map<Endpoint, ErrorCode> listen_errors_;
    std::uint16_t next_port_ = 50000;
};

}  // namespace mailflow
