// The heart of the flow: takes committed messages, routes them, hands them to delivery agents,
// judges what comes back, retries, reports and retires. Sole owner of all queue state in memory;
// lives on the queue lane, everything is called there. It holds a bounded active set; the rest of
// the queue rests in the store and is fetched when there is room, when it is due, and once a
// minute. Nothing needs an announcement: losing one costs time, never mail.
#pragma once

#include "transport/deliver/delivery_agent.hpp"
#include "transport/net/lane.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/ports/directory.hpp"
#include "transport/ports/queue_store.hpp"
#include "transport/ports/tracking_sink.hpp"
#include "transport/queue/active_set.hpp"
#include "transport/queue/agenda.hpp"
#include "transport/queue/delivery_journal.hpp"
#include "transport/queue/delivery_queue.hpp"
#include "transport/queue/dsn_generator.hpp"
#include "transport/queue/queue_limits.hpp"
#include "transport/queue/report_rules.hpp"
#include "transport/queue/retry_schedule.hpp"
#include "transport/route/categorizer.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

// Where deliveries run: a lane and its agents. They outlive the manager's tasks.
struct DeliveryLane {
    Lane* lane = nullptr;
    DeliveryAgent* mailbox = nullptr;
    DeliveryAgent* smtp = nullptr;
};

struct QueueStatistics {
    std::size_t messages = 0;      // in memory
    std::size_t rows = 0;          // their recipients
    std::size_t highest_rows = 0;  // the most ever
    std::size_t running = 0;       // attempts
    std::size_t hops = 0;
    std::size_t stuck = 0;  // recipients nothing would have moved, when it was last looked
};

class QueueManager {
  public:
    struct Parts {
        Lane& lane;  // the queue lane
        QueueStore& store;
        BodyStore& bodies;
        TrackingSink& tracking;
        Directory& directory;  // of the queue lane
        QueueIdSource& ids;    // of the queue lane
        OrganizationPtr organization;
        std::vector<DeliveryLane> lanes;  // never empty
        QueueLimits limits{};
#ifdef MAILFLOW_MUTANTS
        // A planted bug for the simulation to find: announcements are dropped and the store is
        // never read.
        bool lost_announce = false;
#endif
    };

    // What the parts refer to outlives the manager. Its tasks end by `stop`, and its sleepers do
    // not mind its end.
    explicit QueueManager(Parts parts);
    QueueManager(const QueueManager&) = delete;
    QueueManager& operator=(const QueueManager&) = delete;
    ~QueueManager();

    // Fetches what an earlier process left, now and in bounded pages. Attempts begin.
    void start();
    // No attempt begins any more; returns when those running have ended and all is synced, or after
    // `limit`.
    Task<void> stop(Duration limit);

    // A message has just been committed. At once to the agents, when there is room.
    void announce(QueuedMessagePtr message);
    // The configuration from now on. What waits in memory is routed again, and the Unreachable
    // queue; hops of a changed connector are tried now.
    void set_organization(OrganizationPtr organization);

    // ---- administration

    // Everything that waits for this hop (all hops: empty key) is due now; the number of
    // recipients.
    Task<Result<std::uint64_t>> retry_now(std::string key);
    // Error::not_found. The hops the message waits for are tried now as well.
    Task<Result<>> retry_message(QueueId id);
    // Stops after attempts under way; released recipients are due at once. Error::not_found.
    Task<Result<>> hold(QueueId id, bool held);
    // With or without a report to the sender. What is running now ends first, and counts if it
    // delivers.
    Task<Result<>> remove(QueueId id, bool with_report);

    // ---- looking in

    [[nodiscard]] QueueStatistics statistics() const noexcept;

    [[nodiscard]] const ActiveMessage* find_active(QueueId id) const noexcept {
        return active_.find(id);
    }

    [[nodiscard]] const std::map<std::string, DeliveryQueue>& queues() const noexcept {
        return hops_;
    }

    // Why the next job of the hop has not started; nothing when none waits or it is in retry.
    [[nodiscard]] HeldBy why_waits(const DeliveryQueue& queue) const;

    [[nodiscard]] const Organization& organization() const noexcept {
        return *parts_.organization;
    }

    [[nodiscard]] const Clock& clock() const noexcept {
        return parts_.lane.clock();
    }

    // The store takes nothing more: dispatch has stopped.
    [[nodiscard]] bool has_store_failed() const noexcept {
        return store_failed_;
    }

  private:
    // What an attempt began as; the rest is in its DeliveryJob.
    struct Attempt {
        WaitingJob job;
        std::string hop;
        std::uint64_t generation = 0;
        std::size_t lane = 0;
        MonotonicTime started{};
        bool is_at_failing = false;
        bool is_outbound = false;
        std::uint64_t narrowings = 0;  // of its destination, when it started
    };

    // What to do with recipients whose next hop is full: new ones stay where they are on disk,
    // those a read brought go to the hop's queue there, so that no read meets them twice.
    enum class WhenFull : std::uint8_t { leave, park };
    enum class Taken : std::uint8_t { nothing, admitted, parked, no_room };

    struct Pulse;     // reaches the manager from sleepers, or finds it gone
    struct StopWait;  // stop() waiting for tasks

    // queue_manager.cpp: tasks, timers, changes
    [[nodiscard]] bool can_work() const noexcept {
        return started_ && !stopping_ && !store_failed_;
    }

    void run(std::string_view name, Task<void> task);
    Task<void> tracked(Task<void> task);
    void arm(UtcTime when);
    void arm_at(MonotonicTime when);
    void on_wake(MonotonicTime armed);
    void on_store_error(ErrorCode error);
    void change(const ActiveMessage& active, std::uint32_t number);
    void commit_changes();

    [[nodiscard]] UtcTime now() const noexcept {
        return parts_.lane.clock().now();
    }

    static Task<void> sleep_then_wake(Lane* lane, MonotonicTime when, std::weak_ptr<Pulse> pulse);
    static Task<void> sleep_then_give_up(
        Lane* lane, MonotonicTime when, std::shared_ptr<StopWait> wait);

    // queue_dispatch.cpp: from routed recipients to attempts
    void take_new(QueuedMessagePtr message);
    bool admit(ActiveMessage& active, const RoutedMessage& routed, WhenFull when_full);
    bool place(ActiveMessage& active, const RoutedGroup& group, WhenFull when_full);
    DeliveryQueue& queue_of(const NextHop& hop);
    void requeue(std::vector<WaitingJob> jobs);
    void unqueue(const WaitingJob& job);
    void start_attempt(DeliveryQueue& queue, WaitingJob job);
    [[nodiscard]] std::size_t choose_lane() const noexcept;
    Task<void> attempt(DeliveryJob job, Attempt attempt);
    Task<DeliveryReport> hand_over(std::size_t lane, const DeliveryJob& job);

    // queue_shaping.cpp: what starts when, at which destination
    enum class Step : std::uint8_t { started, idle, held };

    void pump(DeliveryQueue& queue);
    Step step(DeliveryQueue& queue);
    WaitingJob next_job(DeliveryQueue& queue);
    [[nodiscard]] HeldBy held_by(const DeliveryQueue& queue) const;
    [[nodiscard]] std::size_t most_at_failing() const noexcept;
    std::deque<std::string>& line_of(DeliveryQueue& queue, HeldBy held);
    void stand_in_line(DeliveryQueue& queue, HeldBy held, bool first);
    void serve(std::deque<std::string>& line);
    void serve_after(DeliveryQueue& queue);
    void serve_all();
    void look_later(DeliveryQueue& queue);
    void arm_looks();
    void look();
    static Task<void> sleep_then_look(Lane* lane, MonotonicTime when, std::weak_ptr<Pulse> pulse);
    void count_started(const DeliveryQueue& queue, Attempt& attempt);
    void count_ended(const Attempt& attempt);
    void apply_rules(DeliveryQueue& queue, const std::string& hosts);
    void learn(DeliveryQueue& queue, const DeliveryReport& report);
    // True: it asked to be pressed less.
    bool hear(DeliveryQueue& queue, const Attempt& attempt, const DeliveryReport& report);
    void say_dry(DeliveryQueue& queue, std::string_view what, std::uint64_t number);
    bool spare(DeliveryQueue& queue);
    void may_be_dead(DeliveryQueue& queue, const DeliveryReport& report);
    void wait_in_retry(DeliveryQueue& queue);
    void forget_destinations();

    // queue_outcomes.cpp: from reports to states
    void on_report(const DeliveryJob& job, const Attempt& attempt, DeliveryReport report);
    void judge(
        ActiveMessage& active,
        RecipientReport report,
        const DeliveryQueue& queue,
        bool hop_failed,
        Duration took);
    void deliver(ActiveMessage& active, RecipientReport report, const NextHop& hop, Duration took);
    void fail(
        ActiveMessage& active,
        std::uint32_t number,
        DeliveryStatus status,
        const NextHop& hop,
        Duration took = {});
    // Expires it instead when its time is over.
    void defer(ActiveMessage& active, std::uint32_t number, const std::string& hop, UtcTime due);
    void expire(ActiveMessage& active, std::uint32_t number);
    void fail_removed(ActiveMessage& active, std::uint32_t number);
    void end_work(ActiveMessage& active, std::uint32_t number);
    void journal(
        TrackingEventId event,
        const ActiveMessage& active,
        std::uint32_t number,
        const DeliveryStatus& status,
        const NextHop& hop,
        Duration took,
        std::string_view tls = {});
    void wait_for_hop(ActiveMessage& active, std::uint32_t number, const DeliveryQueue& queue);
    void wait_for_route(ActiveMessage& active, std::uint32_t number, const NextHop& room);
    void hop_failed(DeliveryQueue& queue, const Attempt& attempt, const DeliveryStatus& failure);
    void hop_answered(DeliveryQueue& queue, bool is_slow);
    // Decides whether the message stays in memory: reports, retires or lets go of it. It may be
    // gone afterwards.
    void settle(QueueId id);
    void let_go(ActiveMessage& active);
    void retire(QueueId id);
    [[nodiscard]] bool is_named(
        const ActiveMessage& active, std::size_t position, DsnKind kind) const noexcept;
    [[nodiscard]] bool owes_report(const ActiveMessage& active, DsnKind kind) const noexcept;
    // Of what is final.
    [[nodiscard]] std::optional<DsnKind> owed_outcome(const ActiveMessage& active) const noexcept;
    void start_report(ActiveMessage& active, DsnKind kind);
    Task<void> report(DsnOrder order, bool for_sweep);
    void on_reported(const DsnOrder& order, const DsnResult& result);
    Task<void> report_withheld(bool at_once);
    void take_report(const DsnResult& result);

    // queue_refill.cpp: from the store into memory
    void request_refill(bool ready, bool due);
    Task<void> refill();
    Task<bool> read_ready_page();
    Task<bool> read_due_hops();
    Task<bool> read_due_messages(std::string key);
    Task<void> arm_next_due();
    Taken take_read(QueuedMessage& message, const ReadWatch& watch, const std::string* hop);
    Taken take_idle(ActiveMessage& active, const std::string* hop);
    void come_back_to(QueueId id);
    void room_was_made();
    DeliveryQueue* adopt(const NextHopState& state);
    // The message, loaded when it is not in memory; settle it afterwards. Null: there is none.
    Task<Result<>> load(QueueId id);

    // queue_sweep.cpp: once a minute
    Task<void> maintain(bool is_start);
    Task<void> remember_hops();
    Task<void> report_pending();
    Task<void> sweep_age();
    Task<QueueId> sweep_older(QueueId after, UtcTime accepted_before);
    bool sweep_message(QueuedMessage& message, const ReadWatch& watch);
    Task<void> reports_done();
    void report_overdue();
    void end_maintenance();
    void forget_hops();
    void reroute_unreachable();
    Task<void> reroute();
    Task<std::vector<std::string>> rooms_without_route();
    Task<void> reroute_room(std::string room);
    void reroute_message(QueuedMessage& message, const std::string& room, const ReadWatch& watch);

    // queue_watchdog.cpp: recipients nothing will move
    Task<void> watch_stuck();
    void watch_messages();
    void watch_queues();
    Task<void> watch_disk();
    void watch_stored(QueuedMessage& message);
    void put_back(ActiveMessage& active);
    void found_stuck(QueueId id, std::string_view why, std::size_t recipients);

    // queue_appointments.cpp: release, deadlines, the age of what was released later
    bool put_off(ActiveMessage& active, const RoutedMessage& routed);
    void wait_release(ActiveMessage& active, std::uint32_t number);
    void return_late(ActiveMessage& active, std::uint32_t number);
    void come_of_age(ActiveMessage& active);
    void take_out_of_queues(ActiveMessage& active);
    [[nodiscard]] std::vector<UtcTime> times_of(const QueuedMessage& message) const;
    [[nodiscard]] std::optional<UtcTime> next_time_of(const QueuedMessage& message) const;
    void note_appointment(const QueuedMessage& message);
    Task<void> appointments();
    Task<void> keep_appointments();
    Task<void> scan_appointments();
    Task<void> attend(QueueId id);

    Parts parts_;
    RetrySchedule schedule_;
    DeliveryJournal journal_;
    DsnGenerator dsn_;
    ActiveSet active_;
    Agenda agenda_;
    std::map<std::string, DeliveryQueue> hops_;
    std::vector<std::size_t> running_on_;  // attempts by lane
    std::size_t running_ = 0;
    std::size_t running_at_failing_ = 0;

    // Attempts at the hops of a send connector, and the hops that wait because of its limit.
    struct ConnectorShare {
        std::size_t running = 0;
        std::deque<std::string> line;
    };

    std::map<std::string, Destination> destinations_;  // shared ones, by connector, policy, hosts
    std::map<std::string, ConnectorShare> connectors_;
    std::size_t running_outbound_ = 0;
    std::deque<std::string> everything_line_;  // hops that could start, but too many attempts run
    std::deque<std::string> failing_line_;     // or too many at hops that are failing

    // A look at the line of a destination: when, a hop of it, and its key if it is a shared one.
    struct Look {
        MonotonicTime when;
        std::string hop;
        std::string destination;

        friend auto operator<=>(const Look&, const Look&) = default;
    };

    std::set<Look> looks_;
    std::optional<MonotonicTime> armed_look_;
    std::set<std::pair<QueueId, std::uint32_t>> running_rows_;  // recipients in attempts
    std::vector<QueueChange> changes_;                          // of the step under way

    bool started_ = false;
    bool stopping_ = false;
    bool store_failed_ = false;
    std::size_t tasks_ = 0;
    std::shared_ptr<StopWait> stop_wait_;
    std::shared_ptr<Pulse> pulse_;
    std::optional<MonotonicTime> armed_;

    bool refilling_ = false;
    bool wants_ready_ = false;
    bool wants_due_ = false;
    bool scan_all_ = false;             // do not stop at pages that bring nothing
    bool ready_waits_ = false;          // new messages on disk wait for room in memory
    bool ready_waits_for_hop_ = false;  // new messages on disk wait for a hop that is full
    bool due_waits_ = false;            // deferred ones wait for room in memory
    QueueId ready_cursor_;
    std::optional<QueueId> ready_restart_;  // go back to behind this id

    std::size_t stuck_in_memory_ = 0;
    std::size_t stuck_in_lap_ = 0;  // on disk, since the lap began
    std::size_t stuck_in_last_lap_ = 0;
    QueueId stuck_cursor_;

    bool maintaining_ = false;  // or at appointments
    MonotonicTime next_maintenance_{};
    QueueId delay_cursor_;
    QueueId expiry_cursor_;
    bool rerouting_ = false;
    bool reroute_again_ = false;
    bool sweeping_ = false;          // reports started now belong to a sweep
    std::size_t sweep_reports_ = 0;  // those under way
    std::optional<QueueId> delay_restart_;
    OneShot<bool>* reports_waiter_ = nullptr;  // in the frame of the maintenance task
};

}  // namespace mailflow
