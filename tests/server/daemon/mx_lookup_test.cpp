#include "server/daemon/mx_lookup.hpp"

#include "tests/support/fake_resolver.hpp"
#include "tests/support/run_task.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

namespace {

// Answers when a minute has gone.
class SlowResolver final : public Resolver {
  public:
    explicit SlowResolver(Lane& lane)
        : lane_(lane) {}

    Task<DnsAnswer<MxRecord>> find_mx(DomainName) override {
        const auto later = lane_.clock().monotonic() + std::chrono::minutes(1);
        co_await lane_.sleep_until(later);
        DnsAnswer<MxRecord> answer;
        answer.status = DnsStatus::found;
        answer.records = {{10, "late.example.org"}};
        co_return answer;
    }

    Task<DnsAnswer<IpAddress>> find_ipv4(DomainName) override { co_return DnsAnswer<IpAddress>(); }

    Task<DnsAnswer<IpAddress>> find_ipv6(DomainName) override { co_return DnsAnswer<IpAddress>(); }

    Task<DnsAnswer<std::string>> find_txt(std::string) override {
        co_return DnsAnswer<std::string>();
    }

  private:
    Lane& lane_;
};

Task<void> sleep(Lane& lane, Duration time) {
    const auto later = lane.clock().monotonic() + time;
    co_await lane.sleep_until(later);
}

}  // namespace

TEST_CASE("An MX look-up of the console answers as the resolver does", "[daemon][mx]") {
    TestLane test;
    FakeResolver resolver;
    resolver.add_mx("contoso.com", 10, "mail.contoso.com");
    MxLookup lookup(test.lane, test.lane, resolver);
    const auto before = test.clock.monotonic();

    const auto found = test.run(lookup.find(DomainName::parse("contoso.com").value()));
    const auto took = test.clock.monotonic() - before;
    test.run(sleep(test.lane, MxLookup::kLimit * 2));  // the limit passes, and nothing happens

    CHECK(found.status == DnsStatus::found);
    CHECK(found.records == std::vector<MxRecord>{{10, "mail.contoso.com"}});
    CHECK(took < MxLookup::kLimit);
}

TEST_CASE("An MX look-up of the console ends in time", "[daemon][mx]") {
    TestLane test;
    SlowResolver resolver(test.lane);
    MxLookup lookup(test.lane, test.lane, resolver);
    const auto before = test.clock.monotonic();

    const auto found = test.run(lookup.find(DomainName::parse("contoso.com").value()));
    const auto took = test.clock.monotonic() - before;
    test.run(sleep(test.lane, std::chrono::minutes(2)));  // the late answer is for nobody

    CHECK(found.status == DnsStatus::temporary);
    CHECK(found.records.empty());
    CHECK(took >= MxLookup::kLimit);
    CHECK(took < MxLookup::kLimit + std::chrono::seconds(1));
}
