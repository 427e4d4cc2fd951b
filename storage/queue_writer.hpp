// The statements that change queue.db. Runs inside the transaction of a group, on the store's
// writer, which owns it; every call throws SQLite::Exception when a statement fails. Counts of an
// item are kept aside until `keep_item`, so an item whose savepoint is undone leaves none;
// `finish_group` writes the sums of the whole group, one row each.
#pragma once

#include "storage/sqlite.hpp"
#include "transport/ports/records/queued_message.hpp"

#include <map>
#include <set>
#include <vector>

namespace mailflow {

class QueueWriter {
  public:
    // The connection outlives this.
    explicit QueueWriter(SqliteConnection& connection) noexcept
        : connection_(connection) {}

    void begin_group();

    // Messages this group retires: changes of their recipients need not be written.
    void will_retire(QueueId id) { retiring_.insert(id.value); }

    void begin_item() { item_ = {}; }

    void keep_item();
    // The counts of queues so far, for an item that reads them: outside of its savepoint.
    void write_hop_counts();
    void finish_group();

    void insert(const QueuedMessage& message);
    void mark(const ReportMark& mark);
    void apply(const QueueChange& change);

    struct DueSlice {
        std::uint64_t recipients = 0;  // deferred to the queues that were finished
        bool done = true;
        std::int64_t next = 0;  // where to go on
    };

    // Makes due what is deferred to `hop` (empty: to the queues from row `from` on), at most
    // `limit` rows in one call.
    [[nodiscard]] DueSlice make_due(
        const std::string& hop, std::int64_t from, UtcTime now, std::size_t limit);

    // Spool files of the messages retired in this group: theirs to remove after the sync.
    [[nodiscard]] std::vector<std::uint64_t> take_retired_files() {
        return std::move(retired_files_);
    }

    // At start: rows of queues that nothing waits in.
    void drop_idle_hops();

  private:
    struct Sums {
        std::int64_t messages = 0;
        std::int64_t deferred = 0;
        std::int64_t held = 0;
        std::int64_t ready = 0;
        std::map<std::int64_t, std::int64_t> hops;
        std::vector<std::uint64_t> files;
    };

    // The counting columns of a message, and how one recipient enters into them.
    struct Counts {
        std::int64_t ready = 0;
        std::int64_t deferred = 0;
        std::int64_t unreported = 0;

        void add(RecipientState state, bool reported, std::int64_t by) noexcept;
    };

    struct MessageRow {
        Counts counts;
        bool held = false;
        std::uint64_t file = 0;
    };

    struct RecipientRow {
        RecipientState state = RecipientState::ready;
        bool reported = false;
        std::int64_t hop = 0;
    };

    void change(const RecipientChange& change);
    void retire(QueueId id);
    void hold(const HoldMessage& change);
    void set_hop(const NextHopState& state);

    [[nodiscard]] bool find_message(QueueId id, MessageRow& row);
    [[nodiscard]] bool find_recipient(QueueId id, std::uint32_t number, RecipientRow& row);
    void write_counts(QueueId id, const Counts& counts);
    void leave_hops(QueueId id);
    [[nodiscard]] std::int64_t hop_id(const std::string& key);
    [[nodiscard]] std::uint64_t make_hop_due(std::int64_t hop, UtcTime now, std::size_t limit);
    void insert_recipient(QueueId id, const QueuedRecipient& recipient, std::int64_t hop);

    SqliteConnection& connection_;
    std::set<std::uint64_t> retiring_;
    Sums item_;
    Sums group_;
    std::vector<std::uint64_t> retired_files_;
};

}  // namespace mailflow
