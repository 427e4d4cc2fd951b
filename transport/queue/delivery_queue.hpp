// The queue of one next hop: jobs ready to run, the concurrency window, and the hop's retry state.
// Bounded: what does not fit stays on disk. Owned by QueueManager, used on the queue lane; knows
// neither store nor time of day but what it is told.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/mail/delivery_status.hpp"
#include "transport/org/next_hop.hpp"
#include "transport/ports/records/queued_message.hpp"
#include "transport/queue/queue_limits.hpp"

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
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
    // negative last, but each ninth; senders in turn. None when empty.
    [[nodiscard]] std::optional<WaitingJob> pop();
    // Takes out everything that waits (the hop failed, the configuration changed).
    [[nodiscard]] std::vector<WaitingJob> drain();
    // Takes out the jobs of one message (held, removed).
    [[nodiscard]] std::vector<WaitingJob> take_out(QueueId message);

    // Recipients waiting or running here, and those of them never tried before.
    [[nodiscard]] std::size_t active() const noexcept { return waiting_ + running_recipients_; }

    [[nodiscard]] std::size_t active_untried() const noexcept { return untried_; }

    [[nodiscard]] std::size_t running() const noexcept { return running_; }

    [[nodiscard]] bool has_waiting() const noexcept { return waiting_ > 0; }

    // ---- window

    // A hop that is failing gets one attempt at a time.
    [[nodiscard]] std::uint32_t window() const noexcept;
    [[nodiscard]] bool can_start(UtcTime now) const noexcept;
    void on_started(const WaitingJob& job, MonotonicTime now);
    void on_ended(const WaitingJob& job, MonotonicTime now);

    // ---- feedback

    [[nodiscard]] bool in_retry(UtcTime now) const noexcept { return state_.next_retry > now; }

    // Its last attempt could not reach it.
    [[nodiscard]] bool is_failing() const noexcept { return state_.attempts > 0; }

    // The hop answered an attempt. True: it had been failing, and its state has changed.
    bool on_success();

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

    // More waits on disk than fitted.
    bool has_backlog = false;
    // More may wait on disk behind what was fetched: to be looked for when this is empty.
    bool may_have_more = false;

  private:
    // Jobs of one class, a line per sender, lines in turn.
    class Lines {
      public:
        void push(WaitingJob job);
        [[nodiscard]] std::optional<WaitingJob> pop();
        void drain_into(std::vector<WaitingJob>& jobs, std::optional<QueueId> only);

        [[nodiscard]] bool empty() const noexcept { return turn_.empty(); }

      private:
        struct Line {
            std::string sender;
            std::deque<WaitingJob> jobs;
        };

        std::list<Line> turn_;  // no line is empty
        std::map<std::string, std::list<Line>::iterator> by_sender_;
    };

    // RFC 6710 §5: jobs of positive, no and negative priority, weighted: whoever waits gets his
    // turn.
    class Classes {
      public:
        void push(WaitingJob job);
        [[nodiscard]] std::optional<WaitingJob> pop();
        void drain_into(std::vector<WaitingJob>& jobs, std::optional<QueueId> only);

        [[nodiscard]] bool empty() const noexcept {
            return urgent_.empty() && normal_.empty() && bulk_.empty();
        }

      private:
        [[nodiscard]] Lines& next();

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
    std::uint32_t widest_;
    std::uint32_t messages_per_connection_;
    double window_;
    bool was_narrowed_ = false;  // a failure was seen: the window opens by one per window, no
                                 // longer by one per success
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
