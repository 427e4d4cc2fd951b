// One day (UTC) of message tracking: one database file, so that forgetting a day is removing a
// file. The writer works on the keeper, readers on a reader.
#pragma once

#include "storage/sqlite.hpp"
#include "transport/ports/records/tracking_event.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailflow {

using TrackingDay = std::chrono::sys_days;

[[nodiscard]] TrackingDay tracking_day(UtcTime time) noexcept;
// `tracking-20260131.db`.
[[nodiscard]] std::string tracking_file_name(TrackingDay day);
// Nothing for names of other files.
[[nodiscard]] std::optional<TrackingDay> parse_tracking_file_name(std::string_view name);

// All conditions of the query but its limit.
[[nodiscard]] bool matches(const TrackingEvent& event, const TrackingQuery& query);

class TrackingDayWriter {
  public:
    // Makes the file when it is missing. Throws SQLite::Exception, or std::runtime_error for a file
    // of a newer program.
    TrackingDayWriter(const std::string& path, const std::string& vfs);

    // One transaction. Throws SQLite::Exception.
    void write(std::span<const TrackingEvent* const> events);
    // The whole log into the file, before it is closed for good.
    void settle();

  private:
    SqliteConnection connection_;
    std::uint64_t unsettled_ = 0;  // octets, roughly, since the last checkpoint
};

class TrackingDayReader {
  public:
    // Throws SQLite::Exception, also when there is no such file.
    TrackingDayReader(const std::string& path, const std::string& vfs);

    // Appends matching events, the latest first, until `found` holds `query.limit`. Read in pages:
    // no read transaction lasts long.
    void find(const TrackingQuery& query, std::vector<TrackingEvent>& found);

  private:
    struct Position {
        std::int64_t time;
        std::int64_t id;
    };

    bool find_page(const TrackingQuery& query, Position& before, std::vector<TrackingEvent>& found);

    SqliteConnection connection_;
};

}  // namespace mailflow
