#include "dns/ares_channel.hpp"

#include "transport/base/error.hpp"

#include <ares.h>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace mailflow::dns {

namespace {

// c-ares' own status values are all >= 0.
constexpr int kQueryTimedOut = -1;

Duration duration_of(const timeval& time) {
    return std::chrono::duration_cast<Duration>(
        std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec));
}

ares_addr_port_node node_of(const Endpoint& server) {
    ares_addr_port_node node{};
    node.family = server.address.is_v4() ? AF_INET : AF_INET6;
    node.udp_port = node.tcp_port = server.port;
    const auto& bytes = server.address.bytes();
    std::memcpy(&node.addr, bytes.data(), server.address.is_v4() ? 4 : 16);
    return node;
}

ares_channel open_channel(
    const AresChannel::Settings& settings, ares_sock_state_cb on_state, void* self) {
    if (settings.servers.empty()) throw std::runtime_error("c-ares needs a name server to ask");
    // Without these three c-ares would read the system's files; the servers are ours to choose.
    char lookups[] = "b";
    char no_file[] = "/dev/null";
    ares_options options{};
    options.lookups = lookups;
    options.resolvconf_path = no_file;
    options.ndomains = 0;
    options.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    options.ednspsz = kEdnsPayloadOctets;
    options.timeout = static_cast<int>(settings.try_timeout.count());
    options.tries = settings.tries;
    options.sock_state_cb = on_state;
    options.sock_state_cb_data = self;
    ares_channel channel = nullptr;
    int status = ares_init_options(
        &channel,
        &options,
        ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF | ARES_OPT_DOMAINS | ARES_OPT_FLAGS |
            ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
            ARES_OPT_NOROTATE);
    if (status != ARES_SUCCESS) {
        throw std::runtime_error(std::string("c-ares does not start: ") + ares_strerror(status));
    }
    std::vector<ares_addr_port_node> nodes;
    for (const auto& server : settings.servers)
        nodes.push_back(node_of(server));
    for (std::size_t i = 1; i < nodes.size(); ++i)
        nodes[i - 1].next = &nodes[i];
    status = ares_set_servers_ports(channel, nodes.data());
    if (status != ARES_SUCCESS) {
        ares_destroy(channel);
        throw std::runtime_error(
            std::string("c-ares takes no such name servers: ") + ares_strerror(status));
    }
    return channel;
}

}  // namespace

struct AresChannel::Received {
    int status = ARES_SUCCESS;
    std::string packet;
    std::string overheard;  // `SERVFAIL from 192.0.2.1:53`: the last server that failed by a code
};

// What c-ares knows a query by. Its waiter may be gone (time-out) while c-ares still tries.
struct AresChannel::Query {
    AresChannel* channel;
    std::uint16_t id;
    OneShot<Received>* waiter;
    MonotonicTime deadline;
    std::string overheard;
};

// A socket of c-ares. It is watched by a task that owns this; c-ares closes the socket.
struct AresChannel::Watch {
    Watch(AresChannel& owner, int descriptor_number)
        : channel(&owner)
        , descriptor(owner.lane_.executor(), descriptor_number) {}

    AresChannel* channel;  // null once c-ares is done with the socket
    asio::posix::basic_stream_descriptor<Executor> descriptor;
    bool writable = false;
};

struct AresChannel::Keeper {
    AresChannel* channel;  // null when the channel is gone
    Lane& lane;
};

AresChannel::AresChannel(Lane& lane, Settings settings)
    : lane_(lane)
    , settings_(std::move(settings))
    , ares_(open_channel(settings_, &on_socket_state, this)) {
    use_own_sockets(ares_, *this);
}

AresChannel::~AresChannel() {
    stopped_ = true;
    if (keeper_ != nullptr) keeper_->channel = nullptr;
    ares_destroy(ares_);
}

// c-ares takes SERVFAIL, REFUSED and NOTIMP as a reason to ask the next server and keeps them to
// itself.
void AresChannel::on_datagram(std::string_view packet, const Endpoint& from) noexcept {
    if (packet.size() < 4) return;
    const auto octet = [packet](std::size_t at) {
        return static_cast<unsigned>(static_cast<unsigned char>(packet[at]));
    };
    const auto found = queries_.find(static_cast<std::uint16_t>((octet(0) << 8) | octet(1)));
    const auto code = static_cast<ResponseCode>(octet(3) & 0xf);
    if (found == queries_.end() || code == ResponseCode::no_error ||
        code == ResponseCode::no_such_name)
        return;
    found->second->overheard = name_of(code) + " from " + from.text();
}

std::uint16_t AresChannel::unused_id() {
    // kMaxQueriesInFlight is far below 65,536: a few draws at most.
    for (;;) {
        const auto id = static_cast<std::uint16_t>(lane_.random().below(0x1'0000));
        if (!queries_.contains(id)) return id;
    }
}

Task<ChannelReply> AresChannel::ask(Question question) {
    ChannelReply reply;
    auto edns = Edns::with;
    for (;;) {
        if (stopped_ || queries_.size() >= kMaxQueriesInFlight) {
            reply.failure = stopped_ ? "the resolver is stopped" : "too many DNS queries under way";
            co_return reply;
        }
        auto query = encode_query(unused_id(), question, edns);
        if (!query) {
            reply.failure = question.name + " cannot be a domain name";
            co_return reply;
        }
        const auto received = co_await exchange(*query);
        if (received.status != ARES_SUCCESS) {
            reply.failure = failure_of(received);
            co_return reply;
        }
        auto answer = decode_answer(received.packet, *query);
        // RFC 6891 §7: a server that does not know EDNS answers FORMERR, without an OPT record.
        if (edns == Edns::with && answer && answer->code == ResponseCode::format_error &&
            !answer->has_edns) {
            edns = Edns::without;
            continue;
        }
        if (!answer || answer->truncated) {
            reply.failure = answer ? "truncated answer by TCP"
                                   : "malformed answer: " + answer.error().message();
            co_return reply;
        }
        reply.answered = true;
        reply.answer = std::move(*answer);
        co_return reply;
    }
}

Task<AresChannel::Received> AresChannel::exchange(std::string query) {
    OneShot<Received> done;
    const auto id = static_cast<std::uint16_t>(
        (static_cast<unsigned char>(query[0]) << 8) | static_cast<unsigned char>(query[1]));
    auto entry = std::make_unique<Query>(
        Query{this, id, &done, lane_.clock().monotonic() + settings_.query_timeout, {}});
    auto* const argument = entry.get();
    queries_.emplace(id, std::move(entry));
    start_keeping_time();
    ares_send(
        ares_,
        reinterpret_cast<const unsigned char*>(query.data()),
        static_cast<int>(query.size()),
        &on_answer,
        argument);
    auto received = co_await done.wait();
    co_return received;
}

void AresChannel::on_answer(
    void* query, int status, int /*timeouts*/, unsigned char* octets, int length) {
    auto* const self = static_cast<Query*>(query);
    if (self->waiter != nullptr) {
        Received received{status, {}, std::move(self->overheard)};
        if (status == ARES_SUCCESS) {
            received.packet.assign(
                reinterpret_cast<const char*>(octets), static_cast<std::size_t>(length));
        }
        self->waiter->complete(std::move(received));
    }
    self->channel->queries_.erase(self->id);
}

void AresChannel::on_socket_state(void* self, int descriptor, int readable, int writable) {
    auto& channel = *static_cast<AresChannel*>(self);
    const auto found = channel.watches_.find(descriptor);
    if (readable == 0 && writable == 0) {
        if (found == channel.watches_.end()) return;
        auto* const watched = found->second;
        channel.watches_.erase(found);
        watched->channel = nullptr;
        watched->descriptor.release();
        return;
    }
    if (found != channel.watches_.end()) {
        const bool was_writable = std::exchange(found->second->writable, writable != 0);
        if (was_writable != found->second->writable) found->second->descriptor.cancel();
        return;
    }
    auto watched = std::make_unique<Watch>(channel, descriptor);
    watched->writable = writable != 0;
    channel.watches_.emplace(descriptor, watched.get());
    channel.lane_.spawn("dns socket", watch(std::move(watched)));
}

// One wait at a time is enough: while something is to be written (a TCP connection is being made),
// becoming writable or failing is what happens next, and both directions are tried then.
Task<void> AresChannel::watch(std::unique_ptr<Watch> watch) {
    using Descriptor = asio::posix::descriptor_base;
    while (watch->channel != nullptr) {
        const auto direction = watch->writable ? Descriptor::wait_write : Descriptor::wait_read;
        auto operation = watch->descriptor.async_wait(direction, use_result);
        const auto [error] = co_await std::move(operation);
        if (watch->channel == nullptr) break;
        if (error == asio::error::operation_aborted) continue;  // what to wait for changed
        const int descriptor = watch->descriptor.native_handle();
        ares_process_fd(watch->channel->ares_, descriptor, descriptor);
    }
}

void AresChannel::start_keeping_time() {
    if (keeper_ != nullptr) return;
    auto keeper = std::make_unique<Keeper>(Keeper{this, lane_});
    keeper_ = keeper.get();
    lane_.spawn("dns time-outs", keep_time(std::move(keeper)));
}

// Runs while queries are under way: c-ares looks at its time-outs only when it is called.
Task<void> AresChannel::keep_time(std::unique_ptr<Keeper> keeper) {
    while (keeper->channel != nullptr && !keeper->channel->queries_.empty()) {
        const auto when = keeper->channel->next_check();
        const auto error = co_await keeper->lane.sleep_until(when);
        if (keeper->channel == nullptr) co_return;
        if (error) {
            keeper->channel->stop();
        } else {
            keeper->channel->check_time();
        }
    }
    if (keeper->channel != nullptr) keeper->channel->keeper_ = nullptr;
}

MonotonicTime AresChannel::next_check() const {
    timeval next{};
    const timeval* const until = ares_timeout(ares_, nullptr, &next);
    const auto wait = until == nullptr ? kTimerStep : std::min(kTimerStep, duration_of(next));
    return lane_.clock().monotonic() + std::max(wait, Duration(1));
}

void AresChannel::check_time() {
    const auto now = lane_.clock().monotonic();
    for (auto& [id, query] : queries_) {
        if (query->waiter == nullptr || query->deadline > now) continue;
        std::exchange(query->waiter, nullptr)
            ->complete(Received{kQueryTimedOut, {}, query->overheard});
    }
    ares_process_fd(ares_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void AresChannel::stop() {
    stopped_ = true;
    ares_cancel(ares_);
}

std::string AresChannel::failure_of(const Received& received) const {
    if (received.status == ARES_ECANCELLED || received.status == ARES_EDESTRUCTION)
        return "the resolver is stopped";
    if (!received.overheard.empty()) return received.overheard;
    std::string text;
    switch (received.status) {
        case ARES_ECONNREFUSED: text = "connection refused"; break;
        case ARES_ETIMEOUT:
        case kQueryTimedOut: text = "no answer"; break;
        default: text = ares_strerror(received.status);
    }
    text += " from ";
    for (const auto& server : settings_.servers) {
        if (&server != settings_.servers.data()) text += ", ";
        text += server.text();
    }
    return text;
}

}  // namespace mailflow::dns
