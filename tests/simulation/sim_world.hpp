// The outside of a simulated day: remote domains with their mail hosts and records, and what goes
// wrong with them and when. One thread.
#pragma once

#include "tests/simulation/sim_loop.hpp"
#include "tests/simulation/sim_sink.hpp"
#include "tests/support/fake_resolver.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow::sim {

// Domains mail is sent to. All but the last two have a mail host.
inline constexpr std::string_view kHomeDomain = "home.remote.test";  // senders live here
inline constexpr std::string_view kFineDomain = "fine.remote.test";
inline constexpr std::string_view kPairDomain = "pair.remote.test";    // two hosts, the first ails
inline constexpr std::string_view kFlakyDomain = "flaky.remote.test";  // every kind of trouble
inline constexpr std::string_view kDeadDomain = "dead.remote.test";    // down for hours
inline constexpr std::string_view kDnsDomain = "dns.remote.test";      // its name server fails
inline constexpr std::string_view kPlainDomain = "plain.remote.test";  // no MX, only an address
inline constexpr std::string_view kIslandDomain = "island.test";       // no connector until later
inline constexpr std::string_view kNoMailDomain = "nomail.remote.test";  // null MX
inline constexpr std::string_view kVoidDomain = "void.remote.test";      // does not exist

class SimWorld {
  public:
    SimWorld(SimSink::Parts parts, SimLoop& loop, FakeResolver& zone);

    // Opens all hosts and lays down what will happen until `end`.
    void start(MonotonicTime end);
    // Everything works from now on.
    void heal();
    // For good: every session ends.
    void shut_down();

    [[nodiscard]] std::uint64_t taken_by_second_host() const noexcept { return second_->taken(); }

  private:
    SimSink& add(std::string name, unsigned last_octet, SinkFaults faults);
    void outage(SimSink& sink, MonotonicTime from, std::chrono::minutes length);
    void dns_outage(MonotonicTime from, std::chrono::minutes length);
    [[nodiscard]] std::chrono::minutes minutes(std::uint64_t least, std::uint64_t most);

    SimSink::Parts parts_;
    SimLoop& loop_;
    FakeResolver& zone_;
    bool healed_ = false;
    std::vector<std::unique_ptr<SimSink>> sinks_;
    SimSink* first_ = nullptr;  // of the pair
    SimSink* second_ = nullptr;
    SimSink* dead_ = nullptr;
};

}  // namespace mailflow::sim
