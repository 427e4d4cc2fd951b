// The lab's name server: one UDP and one TCP socket on the same address, a thread each. Counts what
// it was asked.
#pragma once

#include "tests/lab/socket.hpp"
#include "tests/lab/zone.hpp"

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace mailflow::lab {

class DnsServer {
  public:
    // Open when it returns; port 0 takes a free one. Throws std::system_error.
    DnsServer(Zone zone, const Endpoint& endpoint);
    ~DnsServer();
    DnsServer(const DnsServer&) = delete;
    DnsServer& operator=(const DnsServer&) = delete;

    [[nodiscard]] const Endpoint& endpoint() const noexcept { return udp_.endpoint; }

    // `udp MX contoso.com`, `tcp A mail.contoso.com`, in the order they came; the last 10,000.
    [[nodiscard]] std::vector<std::string> queries() const;
    [[nodiscard]] std::uint64_t query_count() const;

  private:
    void serve_udp();
    void serve_tcp();
    void serve_tcp_connection(Handle socket);
    void note(std::string_view transport, std::string_view packet);

    Zone zone_;
    Interrupt stop_;
    Bound udp_;
    Bound tcp_;
    mutable std::mutex mutex_;
    std::vector<std::string> queries_;
    std::uint64_t query_count_ = 0;
    std::thread udp_thread_;
    std::thread tcp_thread_;
};

}  // namespace mailflow::lab
