// Idle SMTP sessions of one lane, kept for the next message to the same host. Bounded in number, in
// age and in messages per session; a session rests without a task of its own, its end is the
// wheel's. Owned by the delivery agent.
#pragma once

#include "transport/base/ip_address.hpp"
#include "transport/deliver/smtp_client_session.hpp"
#include "transport/net/lane.hpp"

#include <compare>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace mailflow {

// Sessions with equal keys stand for each other: whom we speak to, as whom, and under which demands
// (decisions §2.6).
struct ConnectionKey {
    std::string host;
    Endpoint endpoint;
    std::optional<IpAddress> source;
    std::string ehlo_name;
    std::string connector;
    std::string tls;          // TlsDemand::key
    std::string certificate;  // the client's
    std::string credentials;  // empty: nobody logged in

    friend auto operator<=>(const ConnectionKey&, const ConnectionKey&) = default;
};

class ConnectionCache {
  public:
    struct Limits {
        std::chrono::seconds max_idle{30};
        std::uint32_t max_transactions = 20;  // of one session
        std::size_t max_sessions = 200;       // the one idle for longest goes first
    };

    // Of one session, beside the limits of all.
    struct Keep {
        Duration max_idle = Duration::max();
        std::uint32_t max_transactions = UINT32_MAX;
    };

    ConnectionCache(Lane& lane, const Limits& limits);
    ~ConnectionCache();
    ConnectionCache(const ConnectionCache&) = delete;
    ConnectionCache& operator=(const ConnectionCache&) = delete;

    // A session that was not seen to end, or null.
    [[nodiscard]] std::unique_ptr<SmtpClientSession> take(const ConnectionKey& key);
    // Keeps the session; or gives it back, to be ended, when it is not to be used again.
    [[nodiscard]] std::unique_ptr<SmtpClientSession> put(
        const ConnectionKey& key, std::unique_ptr<SmtpClientSession> session, const Keep& keep);
    // Ends all, and keeps none from now on.
    void close_all() noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return idle_.size(); }

  private:
    class Idle;
    using Sessions = std::multimap<ConnectionKey, std::unique_ptr<Idle>>;

    void drop_oldest();
    void drop(const Idle& idle);

    Lane& lane_;
    Limits limits_;
    Sessions idle_;
    bool closed_ = false;
};

}  // namespace mailflow
