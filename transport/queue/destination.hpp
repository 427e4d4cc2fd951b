// Where next hops lead to: one set of hosts through one send connector. Hops with the same hosts
// share one: its concurrency window, its rates, its pauses, and that it is dead. A hop has one of
// its own until its hosts are known. Pure but for the time it is told. Owned by QueueManager (or by
// the hop, while it is its own), used on the queue lane.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/mail/delivery_status.hpp"
#include "transport/queue/destination_rules.hpp"
#include "transport/queue/token_bucket.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace mailflow {

// What a next hop waits for although something of it could run.
enum class HeldBy : std::uint8_t {
    nothing,
    window,      // as many run at the destination as it bears
    rate,        // its messages or connections in a minute are used up
    back_off,    // it asked for a pause
    connector,   // the connector's connections are used up
    everything,  // all connections are
    failing,     // those for hosts that do not answer are
};

[[nodiscard]] const char* to_text(HeldBy reason) noexcept;

// What is counted of a destination since it is known.
struct DestinationCounts {
    std::uint64_t attempts = 0;
    std::uint64_t delivered = 0;  // recipients
    std::uint64_t deferred = 0;
    std::uint64_t failed = 0;
    std::uint64_t connections = 0;  // opened
    std::uint64_t reused = 0;
    std::uint64_t encrypted = 0;   // of those opened
    std::uint64_t slowed = 0;      // replies that asked for less
    std::uint64_t would_slow = 0;  // attempts a policy that only looks would have held

    DestinationCounts& operator+=(const DestinationCounts& other) noexcept;
};

// Limits and rates of one set of rules: may one more attempt start?
class DestinationGate {
  public:
    DestinationGate(DestinationRules rules, MonotonicTime now);

    [[nodiscard]] const DestinationRules& rules() const noexcept { return rules_; }

    // Buckets whose rate stays keep what is in them.
    void set_rules(DestinationRules rules, MonotonicTime now);
    // The rates alone.
    [[nodiscard]] HeldBy held_by(MonotonicTime now) const noexcept;
    // When the rates let the next attempt through.
    [[nodiscard]] MonotonicTime free_at(MonotonicTime now) const noexcept;
    void on_started(MonotonicTime now) noexcept;
    // The attempt used a connection that was open already, or reached nobody.
    void on_no_connection() noexcept;

  private:
    DestinationRules rules_;
    std::optional<TokenBucket> connections_;
    std::optional<TokenBucket> messages_;
};

class Destination {
  public:
    // `name`: the host set; empty for a hop's own. `first`: where the window starts; `widest`: how
    // far it opens whatever the rules say.
    Destination(
        std::string name,
        HopRules rules,
        std::uint32_t first,
        std::uint32_t widest,
        MonotonicTime now = {});

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    [[nodiscard]] const DestinationRules& rules() const noexcept { return gate_.rules(); }

    void set_rules(const HopRules& rules, MonotonicTime now);

    // ---- window

    [[nodiscard]] std::uint32_t window() const noexcept;

    [[nodiscard]] std::size_t running() const noexcept { return running_; }

    // nothing, window, rate or back_off.
    [[nodiscard]] HeldBy held_by(MonotonicTime now) const noexcept;
    // When to ask again, where it is a matter of time.
    [[nodiscard]] std::optional<MonotonicTime> free_at(MonotonicTime now) const noexcept;
    // What a policy that only looks would hold the next attempt for.
    [[nodiscard]] HeldBy held_dry(MonotonicTime now) const noexcept;

    [[nodiscard]] const DestinationRules* dry_rules() const noexcept {
        return dry_ ? &dry_->rules() : nullptr;
    }

    void on_started(MonotonicTime now) noexcept;

    void on_ended() noexcept { --running_; }

    void on_no_connection() noexcept;

    // Hops move here, or away, with what they run.
    void take_running(std::size_t count) noexcept { running_ += count; }

    void give_running(std::size_t count) noexcept { running_ -= count; }

    // ---- feedback

    // It answered: the window opens, by one a success, by one a window once it was narrowed.
    void on_success() noexcept;
    // It could not be reached: the window closes by half.
    void on_failure() noexcept;
    // It asked for less. `begun_under`: the count of narrowings when the attempt started; answers
    // to attempts from before the last one do not narrow again. True: it narrowed.
    bool on_slow_down(std::uint64_t begun_under) noexcept;

    [[nodiscard]] std::uint64_t narrowings() const noexcept { return narrowings_; }

    void pause_until(MonotonicTime when) noexcept { paused_until_ = when; }

    [[nodiscard]] MonotonicTime paused_until() const noexcept { return paused_until_; }

    // None of its hosts can be connected to: its other hops need not find out for themselves.
    void die(DeliveryStatus failure, UtcTime until);

    void revive() noexcept { dead_until_ = {}; }

    [[nodiscard]] bool is_dead(UtcTime now) const noexcept { return dead_until_ > now; }

    [[nodiscard]] UtcTime dead_until() const noexcept { return dead_until_; }

    [[nodiscard]] const DeliveryStatus& death() const noexcept { return death_; }

    // A hop comes from there: what is counted of it comes along, and where this is new what it
    // learned too.
    void take_over(Destination& other, bool is_new) noexcept;

    DestinationCounts counts;
    std::deque<std::string> line;       // keys of hops that wait for it, in turn
    std::optional<MonotonicTime> wake;  // a look at the line is ordered for then
    MonotonicTime said_dry{};           // when it was last said what would have been slowed

  private:
    std::string name_;
    DestinationGate gate_;
    std::optional<DestinationGate> dry_;
    std::uint32_t widest_;
    double window_;
    bool was_narrowed_ = false;
    std::uint64_t narrowings_ = 0;
    std::size_t running_ = 0;
    MonotonicTime paused_until_{};
    UtcTime dead_until_{};
    DeliveryStatus death_;
};

}  // namespace mailflow
