// The durable queue as one object: queue.db with its writer and reader, and the spool of large
// bodies. The daemon opens it at start, before anything listens, and hands its two ports to the
// flow; a simulation opens it over a simulated disk with everything folded onto one thread.
#pragma once

#include "storage/body_spooling.hpp"
#include "storage/commit_writer.hpp"
#include "storage/queue_sqlite.hpp"
#include "storage/sqlite.hpp"
#include "storage/vfs_latch.hpp"

#include <functional>
#include <memory>
#include <string>

namespace mailflow {

struct QueueDatabaseSettings {
    std::string path;   // of queue.db; its folder exists
    std::string spool;  // folder of large bodies; made when missing
    std::string vfs;    // SQLite VFS below the latching one; empty: the system's
    SqlitePageSize page_size = SqlitePageSize::kib4;
    std::uint64_t row_body_limit = kRowBodyLimit;
    std::uint64_t uncommitted_body_limit = kUncommittedBodyLimit;
    FaultPlan* faults = nullptr;  // tests only; outlives the database
    StoreMutants mutants;         // obeyed only where MAILFLOW_MUTANTS is defined
};

struct QueueDatabaseStats {
    std::uint64_t groups = 0;  // transactions, each with one sync
    std::uint64_t items = 0;   // what they held
    std::uint64_t checkpoints = 0;
    std::uint64_t wal_bytes = 0;          // of the log that are not in the file yet
    std::uint64_t uncommitted_bytes = 0;  // memory promised to bodies on their way in
    std::string failure;                  // why the store takes nothing more; empty: it does
};

class QueueDatabase {
  public:
    // All outlive the database. The runners may be one and the same.
    struct Parts {
        Lane& lane;          // whose timers drive lazy commits and checkpoints
        TaskRunner& writer;  // one thread that nobody else blocks
        TaskRunner& reader;
        TaskRunner& worker;  // spool files: syncs, reads, removals
        Files& files;
        Log log;
    };

    // Called once, on the lane, with the reason in words: the store takes nothing more.
    using OnFailed = std::function<void(const std::string& reason)>;

    // Blocks: brings the tables up to date, moves what the log holds into the file and syncs it,
    // sweeps the spool. Error::newer_schema, locked, corrupt, disk_full, store_failed.
    [[nodiscard]] static OpenResult<std::unique_ptr<QueueDatabase>> open(
        QueueDatabaseSettings settings, Parts parts, OnFailed on_failed);

    // Either `close` has returned, or lane and runners do not run any more.
    ~QueueDatabase();
    QueueDatabase(const QueueDatabase&) = delete;
    QueueDatabase& operator=(const QueueDatabase&) = delete;

    [[nodiscard]] QueueStore& queue() noexcept;
    [[nodiscard]] BodyStore& bodies() noexcept;
    // On the lane.
    [[nodiscard]] QueueDatabaseStats stats() const;

    // On the lane, once, when nobody calls the ports any more: commits what was recorded and moves
    // the log into the file.
    Task<> close();

  private:
    struct Members;
    explicit QueueDatabase(std::unique_ptr<Members> members) noexcept;

    std::unique_ptr<Members> members_;
};

}  // namespace mailflow
