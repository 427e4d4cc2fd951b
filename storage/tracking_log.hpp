// Message tracking on disk: a file a day in one folder. Appending puts the event into a bounded
// queue and never waits; the keeper writes what has gathered at most a second later, so that at
// most a second of history is lost at a crash.
#pragma once

#include "storage/tracking_day.hpp"
#include "storage/tracking_queue.hpp"
#include "transport/base/task_runner.hpp"
#include "transport/net/lane.hpp"
#include "transport/ports/files.hpp"
#include "transport/ports/tracking_sink.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <string>

namespace mailflow {

struct TrackingLogSettings {
    std::string folder;  // made when missing
    std::string vfs;     // SQLite VFS; empty: the system's
    unsigned retention_days = 30;
    std::size_t batch_size = 4096;  // written at once when this many have gathered
    std::size_t queue_capacity =
        65536;  // beyond it events are dropped, counted and told in the log
};

class SqliteTrackingLog final : public TrackingSink {
  public:
    // All outlive the log. The runners may be one and the same.
    struct Parts {
        Lane& lane;  // whose timer drives the writing
        TaskRunner& keeper;
        TaskRunner& reader;
        Files& files;
        Log log;
    };

    SqliteTrackingLog(TrackingLogSettings settings, Parts parts);
    // Either `close` has returned, or lane and runners do not run any more.
    ~SqliteTrackingLog() override;
    SqliteTrackingLog(const SqliteTrackingLog&) = delete;
    SqliteTrackingLog& operator=(const SqliteTrackingLog&) = delete;

    // Makes the folder and removes days that are too old. Blocks; at start.
    Result<> open();

    void append(TrackingEvent event) noexcept override;
    // With more matches than `limit` the latest ones.
    Task<Result<std::vector<TrackingEvent>>> find(TrackingQuery query) override;

    // Holds from the next day's first event on. Any thread.
    void set_retention_days(unsigned days) noexcept { retention_days_ = days; }

    // Writes what has gathered. Any lane.
    Task<> flush();
    // On the lane, once, when nobody appends any more: flushes and closes the files.
    Task<> close();

  private:
    using Writers = std::map<TrackingDay, std::unique_ptr<TrackingDayWriter>>;

    // What a sleeping timer looks at before it touches the log, which may be closed and gone by
    // then.
    using Alive = std::weak_ptr<const bool>;
    static Task<void> flush_soon(Lane& lane, Alive alive, SqliteTrackingLog* log);
    static void start_timer(Lane& lane, const Alive& alive, SqliteTrackingLog* log);
    // On the keeper.
    void write_queued() noexcept;
    void write_day(TrackingDay day, const std::vector<const TrackingEvent*>& events);
    void close_before(TrackingDay day) noexcept;
    void remove_old_days();
    // On the reader.
    Result<std::vector<TrackingEvent>> read(const TrackingQuery& query);
    Result<std::vector<TrackingDay>> days();

    [[nodiscard]] std::string path_of(TrackingDay day) const;

    TrackingLogSettings settings_;
    Parts parts_;
    TrackingQueue queue_;
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // the lane's
    std::atomic<unsigned> retention_days_;
    Writers writers_;  // the keeper's
    TrackingDay cleaned_{};
};

}  // namespace mailflow
