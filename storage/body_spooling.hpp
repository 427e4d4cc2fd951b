// The body store of queue.db: bodies up to a limit stay in memory until the commit puts them into
// their row, larger ones go into a spool file that is synced, with its folder, before `finish`
// returns. Reading verifies the checksum on the way. Writers and readers belong to the lane that
// made them; syncs, reads and removals run on the runners given. Owned by QueueDatabase.
#pragma once

#include "storage/body_budget.hpp"
#include "storage/spool.hpp"
#include "storage/sqlite.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/ports/body_store.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace mailflow {

// Bodies up to this many octets live in the row. Measured: docs/architecture.md, body threshold.
inline constexpr std::uint64_t kRowBodyLimit = 128U << 10U;
// What a writer takes of the memory before its first octet; it grows as octets come. Small, so that
// many slow clients cannot take it all.
inline constexpr std::uint64_t kFirstShare = 16U << 10U;
// Octets of bodies in memory that are not committed yet.
inline constexpr std::uint64_t kUncommittedBodyLimit = 64U << 20U;
inline constexpr std::size_t kBodyPiece = 64U << 10U;

class SpoolingBodyStore final : public BodyStore {
  public:
    struct Parts {
        const Spool& spool;
        SqliteConnection& connection;  // the reader's
        TaskRunner& reader;
        TaskRunner& worker;  // syncs, file reads, removals
        // On any thread: a write or a sync failed, and the disk is not to be trusted any more.
        std::function<void(const std::string&)> on_failed;
        std::uint64_t row_limit = kRowBodyLimit;
        std::uint64_t memory_limit = kUncommittedBodyLimit;
    };

    explicit SpoolingBodyStore(Parts parts);

    Task<Result<std::unique_ptr<BodyWriter>>> create(QueueId id) override;
    Task<Result<std::unique_ptr<BodyReader>>> open(QueueId id, BodyRef ref) override;
    void discard(QueueId id, const BodyRef& ref) noexcept override;

    // The octets are committed (or dropped): they count no longer. Bodies that no writer of ours
    // made are left alone.
    static void settle(const std::shared_ptr<const std::string>& bytes) noexcept;

    [[nodiscard]] std::uint64_t uncommitted() const noexcept { return budget_.used(); }

  private:
    class Writer;
    Parts parts_;
    BodyBudget budget_;
};

}  // namespace mailflow
