// The durable queue. One writer; called from lanes. Ordering: a read sees every change recorded
// before it was called. Durability: commit and commit_report return after the sync that covers
// them; record does not wait. After the first failed write or sync the store is latched: every
// later call fails with Error::store_failed (Error::disk_full where the disk was full and nothing
// was torn: not latched).
#pragma once

#include "transport/base/result.hpp"
#include "transport/base/task.hpp"
#include "transport/ports/records/queued_message.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// Totals kept with the rows, never counted by scan.
struct QueueTotals {
    std::uint64_t messages = 0;
    std::uint64_t deferred_recipients = 0;
    std::uint64_t held_messages = 0;
    std::uint64_t ready_recipients = 0;  // due now: an attempt is under way, or waits for its turn
};

class QueueStore {
  public:
    virtual ~QueueStore() = default;

    // Takes a new message: state accepted. Error: nothing of it is stored.
    virtual Task<Result<>> commit(Submission submission) = 0;
    // Takes a DSN and marks the recipients it reports on, in one transaction that also holds every
    // change recorded before.
    virtual Task<Result<>> commit_report(Submission report, ReportMark mark) = 0;

    // In order, in the next group's transaction or within 50 ms in one of its own. Never fails
    // here: a failure latches.
    virtual void record(std::vector<QueueChange> changes) = 0;
    // Returns when everything recorded before is synced.
    virtual Task<Result<>> flush() = 0;

    // Pages of messages may be shorter than their limit before the end (a store bounds what one
    // read loads); only an empty page is the end.

    // Messages with a recipient in state ready (accepted, or released), by id, `after` exclusive.
    // Without bodies.
    virtual Task<Result<std::vector<QueuedMessage>>> ready_after(
        QueueId after, std::size_t limit) = 0;
    // Delivery queues with deferred recipients, by key, `after` exclusive.
    virtual Task<Result<std::vector<NextHopState>>> next_hops(
        std::string after, std::size_t limit) = 0;
    // Delivery queues whose next attempt is due by `now` (the later of the hop's and its earliest
    // recipient's), earliest first.
    virtual Task<Result<std::vector<NextHopState>>> due_hops(UtcTime now, std::size_t limit) = 0;
    // When the earliest queue becomes due; none when nothing is deferred.
    virtual Task<Result<std::optional<UtcTime>>> next_due() = 0;
    // Messages with a recipient deferred to `hop` and due by `now`, by due time and id. Without
    // bodies; all recipients.
    virtual Task<Result<std::vector<QueuedMessage>>> due_messages(
        std::string hop, UtcTime now, std::size_t limit) = 0;
    // Messages with a final recipient that is not reported (finished, DSN pending), by id.
    virtual Task<Result<std::vector<QueuedMessage>>> unreported_after(
        QueueId after, std::size_t limit) = 0;
    // All messages by id, `after` exclusive, ids below `before` only (age sweep, lists). Without
    // bodies.
    virtual Task<Result<std::vector<QueuedMessage>>> messages_after(
        QueueId after, QueueId before, std::size_t limit) = 0;
    // Messages with a recipient deferred to `hop`, by id (lists, re-routing).
    virtual Task<Result<std::vector<QueuedMessage>>> messages_of_hop(
        std::string hop, QueueId after, std::size_t limit) = 0;
    virtual Task<Result<std::optional<QueuedMessage>>> find(QueueId id) = 0;
    virtual Task<Result<QueueTotals>> totals() = 0;

    // Makes every recipient deferred to `hop` (all hops when empty) ready at `now`, in bounded
    // slices; returns their number.
    virtual Task<Result<std::uint64_t>> make_due(std::string hop, UtcTime now) = 0;
};

}  // namespace mailflow
