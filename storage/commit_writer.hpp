// Group commit: the one place that writes queue.db. Work comes from any lane; everything waiting
// becomes one transaction and one sync, and the next group gathers in the runner's queue while this
// one is being synced. Whoever waits is woken after the sync, by one posted handler a lane. Between
// groups, never inside a commit, the writer moves the log into the database file (checkpoint).
// Lives on the store's writer runner, which is the only thread that touches its members; `submit`
// may be called on any. Owned by QueueDatabase.
#pragma once

#include "storage/commit_timer.hpp"
#include "storage/queue_writer.hpp"
#include "storage/sqlite.hpp"
#include "storage/vfs_latch.hpp"

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mailflow {

inline constexpr std::size_t kGroupItemLimit = 256;
inline constexpr std::size_t kGroupByteLimit = 8U << 20U;
// How long recorded changes wait for a group to join before they get one of their own.
inline constexpr Duration kLazyDelay{50};
// Pause before changes are tried again that found the disk full.
inline constexpr Duration kFullDiskDelay{1000};
// Changes kept while the disk is full; beyond it the store gives up.
inline constexpr std::size_t kKeptChangesLimit = 100'000;
inline constexpr Duration kIdleDelay{2};
inline constexpr std::uint64_t kIdleCheckpointBytes = 4U << 20U;
inline constexpr std::uint64_t kForcedCheckpointBytes = 64U << 20U;
// Free pages a file may keep for the next messages before they are given back to the disk.
inline constexpr std::int64_t kKeptFreePages = 4096;
inline constexpr Duration kVacuumSlice{5};

// Bugs on purpose, chosen at run time by simulations that must find them. Compiled only with
// MAILFLOW_MUTANTS, which release builds do not define.
struct StoreMutants {
    bool sync_left_out = false;        // a group is committed without the sync of the log
    bool reply_before_commit = false;  // waiters are told before the transaction ends
};

struct CommitOutcome {
    ErrorCode error;
    QueueWriter::DueSlice due;  // of MakeDue
};

// Who waits for an item; lives in the waiting coroutine's frame.
struct CommitWaiter {
    Executor home;
    OneShot<CommitOutcome> done;
};

// ---- what can be submitted

struct NewMessage {
    Submission submission;
};

struct NewReport {
    Submission report;
    ReportMark mark;
};

struct LazyChanges {
    std::vector<QueueChange> changes;
};

struct MakeDue {
    std::string hop;
    std::int64_t from = 0;
    UtcTime now{};
};

struct Barrier {};

using CommitWork = std::variant<Barrier, NewMessage, NewReport, LazyChanges, MakeDue>;

struct CommitItem {
    CommitItem() = default;

    explicit CommitItem(CommitWork what, CommitWaiter* who = nullptr)
        : work(std::move(what))
        , waiter(who) {}

    // Out of line: where GCC 12 sees through the variant's move, it takes the other alternatives
    // for used without a value.
    CommitItem(CommitItem&& other) noexcept;
    CommitItem& operator=(CommitItem&& other) noexcept;
    CommitItem(const CommitItem&) = delete;
    CommitItem& operator=(const CommitItem&) = delete;
    ~CommitItem();

    CommitWork work;
    CommitWaiter* waiter = nullptr;  // none: nobody waits, a failure stops the store
};

class CommitWriter {
  public:
    struct Parts {
        SqliteConnection& connection;
        LatchingVfs& vfs;
        TaskRunner& runner;
        Lane& lane;
        // On the runner, with the spool files that the last sync has released.
        std::function<void(std::vector<std::uint64_t>)> release_files;
        // On the runner, once.
        std::function<void(const std::string&)> on_failed;
        StoreMutants mutants;
    };

    explicit CommitWriter(Parts parts);

    // Any thread. Items are committed in the order of submission from one thread.
    void submit(CommitItem item);

    // Any thread: whether all that was submitted is committed.
    [[nodiscard]] bool is_settled() const noexcept { return submitted_ == settled_; }

    // Any thread: whether the store has given up.
    [[nodiscard]] bool has_failed() const noexcept { return failed_; }

    struct Stats {
        std::uint64_t groups = 0;
        std::uint64_t items = 0;
        std::uint64_t checkpoints = 0;
        std::uint64_t wal_bytes = 0;
    };

    [[nodiscard]] Stats stats() const noexcept;

    // On the runner, last: no timer is armed after this. The log is moved into the file.
    void finish();

    [[nodiscard]] CommitTimer& timer() noexcept { return timer_; }

  private:
    struct Group;

    void take(CommitItem item);
    void schedule();
    void run_group();
    [[nodiscard]] Group next_group();
    [[nodiscard]] ErrorCode commit(Group& group);
    [[nodiscard]] CommitOutcome apply(const CommitItem& item);
    [[nodiscard]] CommitOutcome write(const CommitItem& item);
    void end_group(Group group, ErrorCode error);
    void keep_changes(Group& group);
    void wake(std::vector<CommitItem>& items, const std::vector<CommitOutcome>& outcomes);
    void arm_lazy(Duration delay);
    void arm_idle();
    void on_idle(std::uint64_t groups_then);
    void checkpoint(const char* pragma);
    bool vacuum_slice();
    void fail(const std::string& reason);
    void check_latch();
    static int on_commit(void* self, sqlite3* database, const char* name, int pages);

    Parts parts_;
    QueueWriter rows_;
    CommitTimer timer_;
    std::uint64_t page_size_;

    std::deque<CommitItem> pending_;
    std::size_t pending_bytes_ = 0;
    std::size_t waiting_ = 0;  // items in `pending_` that somebody waits for
    bool scheduled_ = false;
    bool lazy_armed_ = false;
    bool idle_armed_ = false;
    bool finished_ = false;
    bool vacuumed_ = false;  // the file is shorter once the log is moved into it

    std::atomic<std::uint64_t> submitted_{0};
    std::atomic<std::uint64_t> settled_{0};
    std::atomic<bool> failed_{false};
    std::atomic<std::uint64_t> groups_{0};
    std::atomic<std::uint64_t> items_{0};
    std::atomic<std::uint64_t> checkpoints_{0};
    std::atomic<std::uint64_t> wal_bytes_{0};
};

}  // namespace mailflow
