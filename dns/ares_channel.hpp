// The name servers over UDP and TCP by c-ares: it keeps sockets, retries and time-outs, we give it
// the octets of the query and read those of the answer. One per lane, used on it, and gone before
// it. c-ares' call-backs only store what they are told and wake who waits.
#pragma once

#include "dns/ares_sockets.hpp"
#include "dns/channel.hpp"
#include "dns/limits.hpp"
#include "transport/net/lane.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct ares_channeldata;

namespace mailflow::dns {

class AresChannel final : public Channel, private DatagramListener {
  public:
    struct Settings {
        std::vector<Endpoint> servers;  // asked in this order
        Duration try_timeout = kTryTimeout;
        int tries = kTries;
        Duration query_timeout = kQueryTimeout;
    };

    // Throws std::runtime_error when c-ares refuses the settings. The lane outlives the channel.
    AresChannel(Lane& lane, Settings settings);
    ~AresChannel() override;
    AresChannel(const AresChannel&) = delete;
    AresChannel& operator=(const AresChannel&) = delete;

    Task<ChannelReply> ask(Question question) override;
    void stop() override;

    [[nodiscard]] std::size_t in_flight() const noexcept { return queries_.size(); }

  private:
    struct Query;
    struct Watch;
    struct Keeper;
    struct Received;

    static void on_answer(void* query, int status, int timeouts, unsigned char* octets, int length);
    static void on_socket_state(void* self, int descriptor, int readable, int writable);
    static Task<void> watch(std::unique_ptr<Watch> watch);
    static Task<void> keep_time(std::unique_ptr<Keeper> keeper);

    void on_datagram(std::string_view packet, const Endpoint& from) noexcept override;
    std::uint16_t unused_id();
    Task<Received> exchange(std::string query);
    void start_keeping_time();
    [[nodiscard]] MonotonicTime next_check() const;
    void check_time();
    [[nodiscard]] std::string failure_of(const Received& received) const;

    Lane& lane_;
    Settings settings_;
    ares_channeldata* ares_ = nullptr;
    std::map<std::uint16_t, std::unique_ptr<Query>> queries_;
    std::map<int, Watch*> watches_;  // each owned by its own task
    Keeper* keeper_ = nullptr;       // likewise; null when no query is under way
    bool stopped_ = false;
};

}  // namespace mailflow::dns
