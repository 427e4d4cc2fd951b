// The zones of a simulated world as one lane's resolver: the answers come after a while, as from a
// name server. One thread.
#pragma once

#include "tests/support/fake_resolver.hpp"
#include "transport/net/lane.hpp"

namespace mailflow::sim {

class SimResolver final : public Resolver {
  public:
    // Both outlive it.
    SimResolver(Lane& lane, FakeResolver& zones) noexcept
        : lane_(lane)
        , zones_(zones) {}

    Task<DnsAnswer<MxRecord>> find_mx(DomainName name) override {
        co_await travel();
        auto answer = co_await zones_.find_mx(std::move(name));
        co_return answer;
    }

    Task<DnsAnswer<IpAddress>> find_ipv4(DomainName name) override {
        co_await travel();
        auto answer = co_await zones_.find_ipv4(std::move(name));
        co_return answer;
    }

    Task<DnsAnswer<IpAddress>> find_ipv6(DomainName name) override {
        co_await travel();
        auto answer = co_await zones_.find_ipv6(std::move(name));
        co_return answer;
    }

    Task<DnsAnswer<std::string>> find_txt(std::string name) override {
        co_await travel();
        auto answer = co_await zones_.find_txt(std::move(name));
        co_return answer;
    }

  private:
    Task<void> travel() {
        zones_.forget_queries();
        const auto until = lane_.clock().monotonic() + std::chrono::milliseconds(12);
        co_await lane_.sleep_until(until);
    }

    Lane& lane_;
    FakeResolver& zones_;
};

}  // namespace mailflow::sim
