// The queue of one next hop: jobs ready to run, the concurrency window, and the hop's retry state.
// Bounded: what does not fit stays on disk. Owned by QueueManager, used on the queue lane; knows
// neither store nor time of day but what it is told.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/mail/delivery_status.hpp"
#include "transport/org/next_hop.hpp"
#include "transport/ports/records/queued_message.hpp"
#include "transport/queue/destination.hpp"
#include "transport/queue/queue_limits.hpp"

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mailflow {

// Recipients of one message that share a next hop, waiting for the window.
struct WaitingJob {
    QueueId message;
    std::vector<std::uint32_t> recipients;
    std::string sender;
    bool tried = false;        // they were deferred before
    std::int8_t priority = 0;  // RFC 6710, of the message
    std::uint64_t size = 0;    // octets
};

class DeliveryQueue {
  public:
    DeliveryQueue(NextHop hop, NextHopState state, const QueueLimits& limits);

    [[nodiscard]] const NextHop& hop() const noexcept { return hop_; }

    [[nodiscard]] const std::string& key() const noexcept { return state_.key; }

    [[nodiscard]] const NextHopState& state() const noexcept { return state_; }

    // ---- jobs

    // Recipients that may still be pushed; 0 when full. A message of positive priority finds half a
    // window more.
    [[nodiscard]] std::size_t room(std::int8_t priority = 0) const noexcept;
    // Time to fetch more, before the window runs dry.
    [[nodiscard]] bool is_half_empty() const noexcept;
    // A job larger than the bound is taken when nothing else is here.
    [[nodiscard]] bool takes(std::size_t recipients, std::int8_t priority = 0) const noexcept;
    void push(WaitingJob job);
    // The next job: never-tried before tried 4:1; of those, positive priority before none 4:1, and
    // negative last, but each ninth; senders in turn; of a sender's, a huge one lets some small
    // ones pass. None when empty.
    [[nodiscard]] std::optional<WaitingJob> pop();
    // Puts back what `pop` gave, or a part of it, to be the next of its sender.
    void push_front(WaitingJob job);
    // Takes out everything that waits (the hop failed, the configuration changed).
    [[nodiscard]] std::vector<WaitingJob> drain();
    // Takes out the jobs of one message (held, removed).
    [[nodiscard]] std::vector<WaitingJob> take_out(QueueId message);

    // Recipients waiting or running here, and those of them never tried before.
    [[nodiscard]] std::size_t active() const noexcept { return waiting_ + running_recipients_; }

    [[nodiscard]] std::size_t active_untried() const noexcept { return untried_; }

    [[nodiscard]] std::size_t running() const noexcept { return running_; }

    [[nodiscard]] bool has_waiting() const noexcept { return waiting_ > 0; }

    [[nodiscard]] std::size_t running_recipients() const noexcept { return running_recipients_; }

    // Messages that wait here.
    [[nodiscard]] std::set<QueueId> waiting_messages() const;

    // ---- destination

    // Its own until `join`.
    [[nodiscard]] Destination& destination() noexcept {
        return shared_ == nullptr ? own_ : *shared_;
    }

    [[nodiscard]] const Destination& destination() const noexcept {
        return shared_ == nullptr ? own_ : *shared_;
    }

    // Empty: it has its own.
    [[nodiscard]] const std::string& destination_key() const noexcept { return shared_key_; }

    // The hop leads to `shared`, which outlives it; what runs counts there from now on. Null: its
    // own again.
    void join(Destination* shared, std::string key);

    // ---- window

    // A hop that is failing gets one attempt at a time, and one whose hosts have to be known first.
    [[nodiscard]] std::uint32_t window() const noexcept;
    [[nodiscard]] bool can_start(UtcTime now) const noexcept;
    void on_started(const WaitingJob& job, MonotonicTime now);
    void on_ended(const WaitingJob& job, MonotonicTime now);

    // ---- feedback

    [[nodiscard]] bool in_retry(UtcTime now) const noexcept { return state_.next_retry > now; }

    // Its last attempt could not reach it.
    [[nodiscard]] bool is_failing() const noexcept { return state_.attempts > 0; }

    // The hop answered an attempt; the window opens, unless it was asked to be pressed less. True:
    // it had been failing, and its state has changed.
    bool on_success(bool opens = true);

    // Counts the moves of the retry state; an attempt keeps the value it started under.
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

    // The hop could not be reached by an attempt that started under `generation`. The window closes
    // by half. True: the retry state has to move (attempts that were under way when it moved last
    // do not move it again).
    [[nodiscard]] bool on_failure(std::uint64_t generation) noexcept;
    // Moves the retry state: one failed attempt more, the next one at `next_retry`.
    void move(DeliveryStatus failure, UtcTime first_failure, UtcTime next_retry);

    void set_next_retry(UtcTime when) noexcept { state_.next_retry = when; }

    // The failure that put the hop into retry, as recipients that wait for it show it.
    [[nodiscard]] DeliveryStatus last_failure() const;

    [[nodiscard]] MonotonicTime last_used() const noexcept { return last_used_; }

    // Its hosts decide how hard it may be pressed, and the first attempt finds them out.
    bool asks_first = false;
    // Why its next job has not started; it stands in the line of that.
    HeldBy held_by = HeldBy::nothing;
    // Attempts of its own it was spared in a row, because its destination was dead.
    std::uint32_t spared = 0;
    std::uint32_t connector_connections = kUnlimitedConnections;
    // More waits on disk than fitted.
    bool has_backlog = false;
    // More may wait on disk behind what was fetched: to be looked for when this is empty.
    bool may_have_more = false;

  private:
    // Jobs of one class, a line per sender, lines in turn.
    class Lines {
      public:
        void push(WaitingJob job);
        void push_front(WaitingJob job);
        [[nodiscard]] std::optional<WaitingJob> pop();
        void drain_into(std::vector<WaitingJob>& jobs, std::optional<QueueId> only);
        void note(std::set<QueueId>& messages) const;

        [[nodiscard]] bool empty() const noexcept { return turn_.empty(); }

      private:
        struct Line {
            std::string sender;
            std::deque<WaitingJob> jobs;
            std::uint32_t passed_over = 0;  // small ones that its first, huge one let pass

            [[nodiscard]] WaitingJob take();
        };

        [[nodiscard]] Line& line_of(const std::string& sender);

        std::list<Line> turn_;  // no line is empty
        std::map<std::string, std::list<Line>::iterator> by_sender_;
    };

    // RFC 6710 §5: jobs of positive, no and negative priority, weighted: whoever waits gets his
    // turn.
    class Classes {
      public:
        void push(WaitingJob job);
        void push_front(WaitingJob job);
        [[nodiscard]] std::optional<WaitingJob> pop();
        void drain_into(std::vector<WaitingJob>& jobs, std::optional<QueueId> only);
        void note(std::set<QueueId>& messages) const;

        [[nodiscard]] bool empty() const noexcept {
            return urgent_.empty() && normal_.empty() && bulk_.empty();
        }

      private:
        [[nodiscard]] Lines& next();
        [[nodiscard]] Lines& lines_of(const WaitingJob& job) noexcept;

        Lines urgent_;
        Lines normal_;
        Lines bulk_;
        std::uint32_t normal_passed_over_ = 0;
        std::uint32_t bulk_passed_over_ = 0;
    };

    [[nodiscard]] std::size_t bound_of_window() const noexcept;
    std::vector<WaitingJob> take(std::optional<QueueId> only);

    NextHop hop_;
    NextHopState state_;
    std::optional<DeliveryStatus> failure_;
    std::uint32_t messages_per_connection_;
    Destination own_;
    Destination* shared_ = nullptr;
    std::string shared_key_;
    Classes untried_jobs_;
    Classes tried_jobs_;
    std::uint32_t untried_in_a_row_ = 0;
    std::size_t waiting_ = 0;
    std::size_t untried_ = 0;
    std::size_t running_ = 0;
    std::size_t running_recipients_ = 0;
    std::uint64_t generation_ = 0;
    MonotonicTime last_used_{};
};

}  // namespace mailflow
