#include "storage/queue_reader.hpp"

#include "storage/queue_codec.hpp"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

namespace mailflow {

namespace {

constexpr std::int64_t kHopsAtOnce = 1000;
// A queue with more than this is found faster by walking all recipients in order than by sorting
// its own.
constexpr std::uint64_t kSortedHopLimit = 10'000;

constexpr std::string_view kMessageById = "SELECT id, held, packed FROM message WHERE id = ?1";

QueueId id_of(const SqliteQuery& row, int column) {
    return QueueId{row.unsigned_integer(column)};
}

// Bounds may be the largest id there is, which SQLite's signed integers do not hold.
std::uint64_t bound_of(QueueId id) noexcept {
    return std::min<std::uint64_t>(id.value, std::numeric_limits<std::int64_t>::max());
}

// Columns: key, attempts, first_failure, next_retry, last_error, deferred, starting at `column`.
NextHopState hop_of(const SqliteQuery& row, int column) {
    NextHopState hop;
    hop.key = row.text(column);
    hop.attempts = static_cast<std::uint32_t>(row.integer(column + 1));
    hop.first_failure = row.time(column + 2);
    hop.next_retry = row.time(column + 3);
    hop.last_error = row.text(column + 4);
    hop.deferred = row.unsigned_integer(column + 5);
    return hop;
}

}  // namespace

// ---- messages

void QueueReader::load_recipients(QueuedMessage& message) {
    auto rows = connection_.query(
        "SELECT r.number, r.state, r.reported, r.delay_notified, r.attempts, r.due, h.key, "
        "r.packed, r.last "
        "FROM recipient r LEFT JOIN next_hop h ON h.id = r.next_hop WHERE r.message = ?1 ORDER BY "
        "r.number");
    rows.bind(message.id.value);
    while (rows.step()) {
        auto recipient = unpack_recipient(rows.bytes(7));
        if (!recipient || recipient->variant > message.variants.size()) {
            log_.error(
                "damaged recipient row left out",
                {{"queue_id", message.id}, {"number", rows.integer(0)}});
            continue;
        }
        recipient->number = static_cast<std::uint32_t>(rows.integer(0));
        recipient->state = static_cast<RecipientState>(rows.integer(1));
        recipient->reported = rows.boolean(2);
        recipient->delay_notified = rows.boolean(3);
        recipient->attempts = static_cast<std::uint32_t>(rows.integer(4));
        recipient->due = rows.time(5);
        recipient->next_hop = rows.text(6);
        if (!rows.is_null(8)) {
            if (auto last = unpack_status(rows.bytes(8))) {
                recipient->last = std::move(*last);
            }
        }
        message.recipients.push_back(std::move(*recipient));
    }
}

std::optional<QueuedMessage> QueueReader::load(QueueId id, bool held, std::string_view packed) {
    QueuedMessage message;
    message.id = id;
    message.held = held;
    const auto whole = unpack_message(packed, message);
    if (!whole) {
        log_.error("damaged message row left out", {{"queue_id", id}});
        return std::nullopt;
    }
    load_recipients(message);
    return message;
}

// Columns of `rows`: id, held, packed.
std::vector<QueuedMessage> QueueReader::load_rows(SqliteQuery rows, std::size_t limit) {
    std::vector<QueuedMessage> messages;
    std::size_t recipients = 0;
    while (messages.size() < limit && recipients < kReadRecipientLimit && rows.step()) {
        auto message = load(id_of(rows, 0), rows.boolean(1), rows.bytes(2));
        if (message) {
            recipients += message->recipients.size();
            messages.push_back(std::move(*message));
        }
    }
    return messages;
}

std::vector<QueuedMessage> QueueReader::ready_after(QueueId after, std::size_t limit) {
    const SqliteSnapshot snapshot(connection_);
    auto rows = connection_.query(
        "SELECT id, held, packed FROM message INDEXED BY message_open "
        "WHERE open > 0 AND ready > 0 AND id > ?1 ORDER BY id");
    rows.bind(bound_of(after));
    return load_rows(std::move(rows), std::min(limit, kReadMessageLimit));
}

std::vector<QueuedMessage> QueueReader::unreported_after(QueueId after, std::size_t limit) {
    const SqliteSnapshot snapshot(connection_);
    auto rows = connection_.query(
        "SELECT id, held, packed FROM message INDEXED BY message_open "
        "WHERE open > 0 AND unreported > 0 AND id > ?1 ORDER BY id");
    rows.bind(bound_of(after));
    return load_rows(std::move(rows), std::min(limit, kReadMessageLimit));
}

std::vector<QueuedMessage> QueueReader::messages_after(
    QueueId after, QueueId before, std::size_t limit) {
    const SqliteSnapshot snapshot(connection_);
    auto rows = connection_.query(
        "SELECT id, held, packed FROM message WHERE id > ?1 AND id < ?2 ORDER BY id");
    rows.bind(bound_of(after)).bind(bound_of(before));
    return load_rows(std::move(rows), std::min(limit, kReadMessageLimit));
}

std::optional<QueuedMessage> QueueReader::find(QueueId id) {
    const SqliteSnapshot snapshot(connection_);
    auto row = connection_.query(kMessageById);
    row.bind(id.value);
    const bool found = row.step();
    return found ? load(id, row.boolean(1), row.bytes(2)) : std::nullopt;
}

// Column of `ids`: the message of a recipient; a message may come several times.
void QueueReader::load_page(
    SqliteQuery ids, std::size_t limit, std::vector<QueuedMessage>& messages) {
    std::size_t recipients = 0;
    std::vector<std::uint64_t> seen;
    while (messages.size() < limit && recipients < kReadRecipientLimit && ids.step()) {
        const QueueId id = id_of(ids, 0);
        const auto place = std::lower_bound(seen.begin(), seen.end(), id.value);
        if (place != seen.end() && *place == id.value) {
            continue;
        }
        seen.insert(place, id.value);
        auto row = connection_.query(kMessageById);
        row.bind(id.value);
        const bool found = row.step();
        auto message = found ? load(id, row.boolean(1), row.bytes(2)) : std::nullopt;
        if (message) {
            recipients += message->recipients.size();
            messages.push_back(std::move(*message));
        }
    }
}

std::optional<QueueReader::HopRow> QueueReader::find_hop(const std::string& key) {
    auto row = connection_.query("SELECT id, deferred FROM next_hop WHERE key = ?1");
    row.bind_text(key);
    const bool found = row.step();
    if (!found) {
        return std::nullopt;
    }
    return HopRow{row.integer(0), row.unsigned_integer(1)};
}

std::vector<QueuedMessage> QueueReader::due_messages(
    const std::string& hop, UtcTime now, std::size_t limit) {
    const SqliteSnapshot snapshot(connection_);
    std::vector<QueuedMessage> messages;
    if (const auto row = find_hop(hop)) {
        auto ids = connection_.query(
            "SELECT message FROM recipient INDEXED BY recipient_due "
            "WHERE next_hop = ?1 AND state = 1 AND due <= ?2 ORDER BY due, message");
        ids.bind(row->id).bind(now);
        load_page(std::move(ids), std::min(limit, kReadMessageLimit), messages);
    }
    return messages;
}

std::vector<QueuedMessage> QueueReader::messages_of_hop(
    const std::string& hop, QueueId after, std::size_t limit) {
    const SqliteSnapshot snapshot(connection_);
    std::vector<QueuedMessage> messages;
    if (const auto row = find_hop(hop)) {
        auto ids = connection_.query(
            row->deferred <= kSortedHopLimit
                ? "SELECT DISTINCT message FROM recipient INDEXED BY recipient_due "
                  "WHERE next_hop = ?1 AND state = 1 AND message > ?2 ORDER BY message"
                : "SELECT message FROM recipient WHERE +next_hop = ?1 AND state = 1 AND message > "
                  "?2 ORDER BY message");
        ids.bind(row->id).bind(bound_of(after));
        load_page(std::move(ids), std::min(limit, kReadMessageLimit), messages);
    }
    return messages;
}

// ---- delivery queues

std::vector<NextHopState> QueueReader::next_hops(const std::string& after, std::size_t limit) {
    const SqliteSnapshot snapshot(connection_);
    auto rows = connection_.query(
        "SELECT key, attempts, first_failure, next_retry, last_error, deferred FROM next_hop "
        "WHERE key > ?1 AND deferred > 0 ORDER BY key");
    rows.bind_text(after);
    std::vector<NextHopState> hops;
    while (hops.size() < limit && rows.step()) {
        hops.push_back(hop_of(rows, 0));
    }
    return hops;
}

template <class Visit>
void QueueReader::each_waiting_hop(UtcTime latest, Visit visit) {
    std::int64_t after = 0;
    std::int64_t rows_seen = kHopsAtOnce;
    while (rows_seen == kHopsAtOnce) {
        const SqliteSnapshot snapshot(connection_);
        auto rows = connection_.query(
            "SELECT h.id, (SELECT due FROM recipient INDEXED BY recipient_due "
            "WHERE next_hop = h.id AND state = 1 ORDER BY due LIMIT 1), "
            "h.key, h.attempts, h.first_failure, h.next_retry, h.last_error, h.deferred FROM "
            "next_hop h "
            "WHERE h.id > ?1 AND h.deferred > 0 AND h.next_retry <= ?2 ORDER BY h.id LIMIT ?3");
        rows.bind(after).bind(latest).bind(kHopsAtOnce);
        rows_seen = 0;
        while (rows.step()) {
            ++rows_seen;
            after = rows.integer(0);
            visit(std::max(rows.time(1), rows.time(5)), rows);
        }
    }
}

std::vector<NextHopState> QueueReader::due_hops(UtcTime now, std::size_t limit) {
    const auto earlier = [](const WaitingHop& a, const WaitingHop& b) {
        return std::tie(a.due, a.state.key) < std::tie(b.due, b.state.key);
    };
    // A heap with the latest on top: never more than `limit` are kept.
    std::vector<WaitingHop> best;
    each_waiting_hop(now, [&](UtcTime due, const SqliteQuery& row) {
        if (due > now || limit == 0 || (best.size() == limit && due > best.front().due)) {
            return;
        }
        best.push_back({due, hop_of(row, 2)});
        std::push_heap(best.begin(), best.end(), earlier);
        if (best.size() > limit) {
            std::pop_heap(best.begin(), best.end(), earlier);
            best.pop_back();
        }
    });
    std::sort_heap(best.begin(), best.end(), earlier);
    std::vector<NextHopState> hops;
    hops.reserve(best.size());
    for (auto& hop : best) {
        hops.push_back(std::move(hop.state));
    }
    return hops;
}

std::optional<UtcTime> QueueReader::next_due() {
    std::optional<UtcTime> earliest;
    each_waiting_hop(UtcTime::max(), [&](UtcTime due, const SqliteQuery& /*row*/) {
        earliest = earliest ? std::min(*earliest, due) : due;
    });
    return earliest;
}

QueueTotals QueueReader::totals() {
    auto row = connection_.query("SELECT messages, deferred, held, ready FROM totals WHERE id = 1");
    const bool found = row.step();
    QueueTotals totals;
    if (found) {
        totals = {
            row.unsigned_integer(0),
            row.unsigned_integer(1),
            row.unsigned_integer(2),
            row.unsigned_integer(3)};
    }
    return totals;
}

}  // namespace mailflow
