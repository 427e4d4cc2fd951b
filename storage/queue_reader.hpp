// The statements that read queue.db. Runs on the store's reader, on a connection of its own, and
// sees what is committed. Each call is one snapshot or several short ones, none longer than a page:
// a long one would keep the write-ahead log from starting over. Throws SQLite::Exception when a
// statement fails; a row that cannot be unpacked is logged and left out.
#pragma once

#include "storage/sqlite.hpp"
#include "transport/base/log.hpp"
#include "transport/ports/queue_store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mailflow {

// Most messages, and about the most recipients, that one call loads.
inline constexpr std::size_t kReadMessageLimit = 1000;
inline constexpr std::size_t kReadRecipientLimit = 4'000;

class QueueReader {
  public:
    // The connection outlives this.
    QueueReader(SqliteConnection& connection, Log log) noexcept
        : connection_(connection)
        , log_(log) {}

    [[nodiscard]] std::vector<QueuedMessage> ready_after(QueueId after, std::size_t limit);
    [[nodiscard]] std::vector<QueuedMessage> unreported_after(QueueId after, std::size_t limit);
    [[nodiscard]] std::vector<QueuedMessage> messages_after(
        QueueId after, QueueId before, std::size_t limit);
    [[nodiscard]] std::vector<QueuedMessage> due_messages(
        const std::string& hop, UtcTime now, std::size_t limit);
    [[nodiscard]] std::vector<QueuedMessage> messages_of_hop(
        const std::string& hop, QueueId after, std::size_t limit);
    [[nodiscard]] std::optional<QueuedMessage> find(QueueId id);

    [[nodiscard]] std::vector<NextHopState> next_hops(const std::string& after, std::size_t limit);
    [[nodiscard]] std::vector<NextHopState> due_hops(UtcTime now, std::size_t limit);
    [[nodiscard]] std::optional<UtcTime> next_due();
    [[nodiscard]] QueueTotals totals();

  private:
    struct HopRow {
        std::int64_t id = 0;
        std::uint64_t deferred = 0;
    };

    // A queue with deferred recipients and the time of its next attempt.
    struct WaitingHop {
        UtcTime due{};
        NextHopState state;
    };

    // Calls `visit` for every queue that waits, whose own retry time is not after `latest`.
    template <class Visit>
    void each_waiting_hop(UtcTime latest, Visit visit);

    [[nodiscard]] std::vector<QueuedMessage> load_rows(SqliteQuery rows, std::size_t limit);
    [[nodiscard]] std::optional<QueuedMessage> load(QueueId id, bool held, std::string_view packed);
    void load_recipients(QueuedMessage& message);
    void load_page(SqliteQuery ids, std::size_t limit, std::vector<QueuedMessage>& messages);
    [[nodiscard]] std::optional<HopRow> find_hop(const std::string& key);

    SqliteConnection& connection_;
    Log log_;
};

}  // namespace mailflow
