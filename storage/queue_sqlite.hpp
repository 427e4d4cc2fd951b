// The port QueueStore over queue.db: changes go to the commit writer, reads to a connection of
// their own once everything recorded before is committed. Called on any lane; owned by
// QueueDatabase.
#pragma once

#include "storage/body_copies.hpp"
#include "storage/commit_writer.hpp"
#include "storage/queue_reader.hpp"
#include "transport/ports/queue_store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mailflow {

class SqliteQueueStore final : public QueueStore {
  public:
    // What it works with; all outlive it. `reader` is used on its runner only.
    struct Parts {
        CommitWriter& writer;
        QueueReader& reader;
        TaskRunner& reader_runner;
        const Spool& spool;
        TaskRunner& worker;  // spool files
    };

    explicit SqliteQueueStore(Parts parts) noexcept
        : writer_(parts.writer)
        , reader_(parts.reader)
        , reader_runner_(parts.reader_runner)
        , copies_(parts.spool, parts.worker) {}

    Task<Result<>> commit(Submission submission) override;
    Task<Result<>> commit_report(Submission report, ReportMark mark) override;
    void record(std::vector<QueueChange> changes) override;
    Task<Result<>> flush() override;

    Task<Result<std::vector<QueuedMessage>>> ready_after(QueueId after, std::size_t limit) override;
    Task<Result<std::vector<NextHopState>>> next_hops(
        std::string after, std::size_t limit) override;
    Task<Result<std::vector<NextHopState>>> due_hops(UtcTime now, std::size_t limit) override;
    Task<Result<std::optional<UtcTime>>> next_due() override;
    Task<Result<std::vector<QueuedMessage>>> due_messages(
        std::string hop, UtcTime now, std::size_t limit) override;
    Task<Result<std::vector<QueuedMessage>>> unreported_after(
        QueueId after, std::size_t limit) override;
    Task<Result<std::vector<QueuedMessage>>> messages_after(
        QueueId after, QueueId before, std::size_t limit) override;
    Task<Result<std::vector<QueuedMessage>>> messages_of_hop(
        std::string hop, QueueId after, std::size_t limit) override;
    Task<Result<std::optional<QueuedMessage>>> find(QueueId id) override;
    Task<Result<QueueTotals>> totals() override;
    Task<Result<std::uint64_t>> make_due(std::string hop, UtcTime now) override;

  private:
    Task<CommitOutcome> submit(CommitItem item);
    Task<Result<>> commit_with_copies(Submission submission);
    // Everything recorded before is committed.
    Task<ErrorCode> settle();
    template <class Read>
    auto read(Read read) -> Task<Result<decltype(read(std::declval<QueueReader&>()))>>;

    CommitWriter& writer_;
    QueueReader& reader_;
    TaskRunner& reader_runner_;
    BodyCopies copies_;
};

}  // namespace mailflow
