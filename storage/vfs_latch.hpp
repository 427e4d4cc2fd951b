// The VFS every database of mailflow is opened through: it passes everything on to a base VFS (the
// system's, or a simulated disk), and after the first failed write or sync it fails every later
// one. A failed sync may have dropped what it should have kept, and asking again would say "fine":
// nothing written after it can be trusted. One object for each database, owned by whoever opens it,
// kept longer than the connections; its methods are called on the threads of those connections.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace mailflow {

enum class DiskOperation { write, sync };
enum class DiskFault { io_error, disk_full };

// What goes wrong on purpose, and a count of what was done. Set up by tests; any thread.
class FaultPlan {
  public:
    // The `nth` such operation from now on (1: the very next) fails, once.
    void fail(DiskOperation operation, std::uint64_t nth, DiskFault fault) noexcept;
    // Every such operation from now on fails, until `heal`.
    void fail_all(DiskOperation operation, DiskFault fault) noexcept;
    void heal() noexcept;
    [[nodiscard]] std::uint64_t count(DiskOperation operation) const noexcept;

    // Called before each operation.
    std::optional<DiskFault> next(DiskOperation operation) noexcept;

  private:
    struct Slot {
        std::atomic<std::uint64_t> count{0};
        std::atomic<std::uint64_t> fails_at{0};  // 0: never
        std::atomic<bool> all{false};
        std::atomic<DiskFault> fault{DiskFault::io_error};
    };

    [[nodiscard]] Slot& slot(DiskOperation operation) noexcept;

    Slot write_;
    Slot sync_;
};

class LatchingVfs {
  public:
    // `base`: a registered VFS, empty for SQLite's default. `faults` may be null and outlives this.
    // Throws std::runtime_error when there is no such base.
    LatchingVfs(const std::string& base, FaultPlan* faults);
    ~LatchingVfs();
    LatchingVfs(const LatchingVfs&) = delete;
    LatchingVfs& operator=(const LatchingVfs&) = delete;

    // Under which it is registered with SQLite.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    [[nodiscard]] bool has_failed() const noexcept {
        return failure_.load(std::memory_order_acquire) != nullptr;
    }

    // What failed first, in words; empty as long as nothing did.
    [[nodiscard]] std::string failure() const;

  private:
    friend struct LatchingVfsCalls;

    // A full disk is told and forgotten: nothing is torn, SQLite writes the same place again.
    int write(
        sqlite3_file& real, const void* data, int size, sqlite3_int64 offset, const char* path);
    int sync(sqlite3_file& real, int flags, const char* path);
    int latch(const char* what, const char* path, int code) noexcept;

    std::string name_;
    sqlite3_vfs* base_;
    FaultPlan* faults_;
    sqlite3_vfs vfs_{};
    std::atomic<const std::string*> failure_{nullptr};
};

}  // namespace mailflow
