#include "storage/tracking_day.hpp"

#include "storage/schema.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace mailflow {

namespace {

constexpr std::array kTrackingSchema{SchemaStep{R"(
CREATE TABLE event(
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    event INTEGER NOT NULL,
    queue_id INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    connector TEXT NOT NULL,
    next_hop TEXT NOT NULL,
    remote TEXT NOT NULL,
    status TEXT NOT NULL,
    detail TEXT NOT NULL,
    size INTEGER NOT NULL,
    subject TEXT NOT NULL);
CREATE INDEX event_time ON event(time, id);
CREATE INDEX event_queue_id ON event(queue_id, time, id);
PRAGMA user_version = 1;
)"}};

constexpr std::string_view kPrefix = "tracking-";
constexpr std::string_view kSuffix = ".db";
constexpr std::uint64_t kCheckpointBytes = 4ULL * 1024 * 1024;
// A page of this many rows is read in a few milliseconds.
constexpr std::size_t kPageRows = 2000;

// Addresses hold no line feed: the separator.
std::string joined(const std::vector<std::string>& recipients) {
    std::string text;
    for (const auto& recipient : recipients) {
        if (!text.empty()) text += '\n';
        text += recipient;
    }
    return text;
}

std::vector<std::string> split_recipients(std::string_view text) {
    std::vector<std::string> recipients;
    if (text.empty()) {
        return recipients;
    }
    for (const auto part : ascii::split(text, '\n'))
        recipients.emplace_back(part);
    return recipients;
}

TrackingEvent read_event(const SqliteQuery& row) {
    TrackingEvent event;
    event.time = row.time(1);
    event.event = static_cast<TrackingEventId>(row.integer(2));
    event.queue_id = QueueId{row.unsigned_integer(3)};
    event.message_id = row.text(4);
    event.sender = row.text(5);
    event.recipients = split_recipients(row.bytes(6));
    event.connector = row.text(7);
    event.next_hop = row.text(8);
    event.remote = row.text(9);
    event.status = row.text(10);
    event.detail = row.text(11);
    event.size = row.unsigned_integer(12);
    event.subject = row.text(13);
    return event;
}

bool is_same(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) {
        return true;
    }
    if (pattern.starts_with("*@")) {
        const auto at = text.rfind('@');
        return at != std::string_view::npos &&
               ascii::equal_ignoring_case(pattern.substr(1), text.substr(at));
    }
    return ascii::equal_ignoring_case(pattern, text);
}

}  // namespace

TrackingDay tracking_day(UtcTime time) noexcept {
    return std::chrono::floor<std::chrono::days>(time);
}

std::string tracking_file_name(TrackingDay day) {
    const std::chrono::year_month_day date(day);
    return fmt::format(
        "{}{:04}{:02}{:02}{}",
        kPrefix,
        static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()),
        kSuffix);
}

std::optional<TrackingDay> parse_tracking_file_name(std::string_view name) {
    constexpr std::size_t kDigits = 8;
    if (name.size() != kPrefix.size() + kDigits + kSuffix.size() || !name.starts_with(kPrefix) ||
        !name.ends_with(kSuffix)) {
        return std::nullopt;
    }
    const auto digits = ascii::parse_number(name.substr(kPrefix.size(), kDigits));
    if (!digits) {
        return std::nullopt;
    }
    const auto number = static_cast<unsigned>(*digits);
    const std::chrono::year_month_day date(
        std::chrono::year(static_cast<int>(number / 10000)),
        std::chrono::month(number / 100 % 100),
        std::chrono::day(number % 100));
    return date.ok() ? std::optional(TrackingDay(date)) : std::nullopt;
}

bool matches(const TrackingEvent& event, const TrackingQuery& query) {
    if ((query.queue_id && event.queue_id != *query.queue_id) ||
        (query.event && event.event != *query.event) ||
        (query.since && event.time < *query.since) || (query.until && event.time >= *query.until)) {
        return false;
    }
    const auto& recipients = event.recipients;
    const bool recipient_fits =
        query.recipient.empty() ||
        std::any_of(recipients.begin(), recipients.end(), [&query](const std::string& recipient) {
            return is_same(query.recipient, recipient);
        });
    return recipient_fits && is_same(query.message_id, event.message_id) &&
           is_same(query.sender, event.sender);
}

TrackingDayWriter::TrackingDayWriter(const std::string& path, const std::string& vfs)
    : connection_({path, vfs, SqlitePageSize::kib4, SqliteCache::kib512}, SqliteRole::writer) {
    if (auto failure = migrate(connection_, path, kTrackingSchema)) {
        throw std::runtime_error(failure->text);
    }
}

void TrackingDayWriter::write(std::span<const TrackingEvent* const> events) {
    SqliteTransaction transaction(connection_);
    auto row = connection_.query(
        "INSERT INTO event(time, event, queue_id, message_id, sender, recipients, connector, "
        "next_hop, remote, status, detail, size, subject) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (const auto* event : events) {
        const auto recipients = joined(event->recipients);
        row.again().bind(event->time).bind(static_cast<int>(event->event));
        row.bind(event->queue_id.value).bind_text(event->message_id).bind_text(event->sender);
        row.bind_text(recipients).bind_text(event->connector).bind_text(event->next_hop);
        row.bind_text(event->remote).bind_text(event->status).bind_text(event->detail);
        row.bind(event->size).bind_text(event->subject).run();
        unsettled_ += 2 * (200 + recipients.size() + event->detail.size());
    }
    transaction.commit();
    if (unsettled_ >= kCheckpointBytes) {
        connection_.query("PRAGMA wal_checkpoint(PASSIVE)").step();
        unsettled_ = 0;
    }
}

void TrackingDayWriter::settle() {
    connection_.query("PRAGMA wal_checkpoint(TRUNCATE)").step();
}

TrackingDayReader::TrackingDayReader(const std::string& path, const std::string& vfs)
    : connection_({path, vfs, SqlitePageSize::kib4, SqliteCache::kib512}, SqliteRole::reader) {}

void TrackingDayReader::find(const TrackingQuery& query, std::vector<TrackingEvent>& found) {
    constexpr auto kLast = std::numeric_limits<std::int64_t>::max();
    Position before{kLast, kLast};
    if (query.until) {
        before = {
            query.until->time_since_epoch().count(), std::numeric_limits<std::int64_t>::min()};
    }
    while (found.size() < query.limit && find_page(query, before, found)) {
    }
}

// False after the last page.
bool TrackingDayReader::find_page(
    const TrackingQuery& query, Position& before, std::vector<TrackingEvent>& found) {
    constexpr std::string_view kByTime =
        "SELECT id, time, event, queue_id, message_id, sender, recipients, connector, next_hop, "
        "remote, status, detail, size, subject FROM event "
        "WHERE (time, id) < (?, ?) AND time >= ? ORDER BY time DESC, id DESC LIMIT ?";
    constexpr std::string_view kByQueueId =
        "SELECT id, time, event, queue_id, message_id, sender, recipients, connector, next_hop, "
        "remote, status, detail, size, subject FROM event "
        "WHERE queue_id = ? AND (time, id) < (?, ?) AND time >= ? "
        "ORDER BY time DESC, id DESC LIMIT ?";
    const auto since = query.since ? query.since->time_since_epoch().count()
                                   : std::numeric_limits<std::int64_t>::min();
    auto row = connection_.query(query.queue_id ? kByQueueId : kByTime);
    if (query.queue_id) {
        row.bind(query.queue_id->value);
    }
    row.bind(before.time).bind(before.id).bind(since).bind(static_cast<std::uint64_t>(kPageRows));
    std::size_t rows = 0;
    while (found.size() < query.limit && row.step()) {
        ++rows;
        auto event = read_event(row);
        before = {row.integer(1), row.integer(0)};
        if (matches(event, query)) found.push_back(std::move(event));
    }
    return rows == kPageRows;
}

}  // namespace mailflow
